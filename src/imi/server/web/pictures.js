import { button, make } from "./dom.js";
import { t } from "./words.js";

const SIDE = 512; // pixels of the longer side that are sent; models look at fewer
const KINDS = /^image\/(png|jpeg|gif|webp|bmp)$/;

export const isPicture = (file) => KINDS.test(file.type);

/** A picture that is searched by: shown where the question stands, and sent in base64. */
export class PictureQuery {
  constructor(root, changed) {
    this.root = root;
    this.changed = changed;
    this.data = null;
  }

  /** Takes a picture's file, makes it small, and asks by it. */
  async take(file) {
    const image = await createImageBitmap(file).catch(() => null);
    if (!image) throw new Error(t("notAPicture", file.name || ""));
    const by = Math.min(1, SIDE / Math.max(image.width, image.height));
    const canvas = make("canvas", { width: Math.max(1, Math.round(image.width * by)), height: Math.max(1, Math.round(image.height * by)) });
    const paper = canvas.getContext("2d");
    paper.fillStyle = "#fff";
    paper.fillRect(0, 0, canvas.width, canvas.height);
    paper.drawImage(image, 0, 0, canvas.width, canvas.height);
    const url = canvas.toDataURL("image/png");
    this.data = url.slice(url.indexOf(",") + 1);
    this.root.replaceChildren(make("img", { src: url, alt: t("pictureAsked") }), button("×", () => this.drop(true), { class: "plain icon", "aria-label": t("pictureDrop") }));
    this.root.hidden = false;
    this.changed();
  }

  /** Lets go of the picture; `tell` where nothing else was asked instead. */
  drop(tell = false) {
    if (!this.data) return;
    this.data = null;
    this.root.hidden = true;
    this.root.replaceChildren();
    if (tell) this.changed();
  }
}
