const MAP_WORDS = {
  en: {
    map: (count) => `A map of ${count} documents. Arrow keys move it, plus and minus zoom, 0 shows all of it, Enter chooses the document in the middle, Escape lets go of it.`,
    role: "map",
    count: (count, of) => (of > count ? `${count.toLocaleString()} of ${of.toLocaleString()} documents` : `${count.toLocaleString()} documents`),
    search: "Find a word on the map",
    none: "nothing here contains this",
    found: (count) => `${count.toLocaleString()} contain it`,
    colour: "Colour by",
    oneColour: "one colour",
    topics: "topic",
    others: (count) => `${count} others`,
    zoomIn: "Zoom in",
    zoomOut: "Zoom out",
    all: "Show all",
    theme: "Dark or light",
    nearest: "Nearest",
    open: "Read it",
    close: "Let go",
    failed: "The nearest documents could not be asked for.",
  },
  ja: {
    map: (count) => `${count}件の文書の地図。矢印キーで動かし、＋と−で拡大・縮小、0で全体、Enterで中央の文書を選び、Escapeで選択を外します。`,
    role: "地図",
    count: (count, of) => (of > count ? `${of.toLocaleString()}件のうち${count.toLocaleString()}件` : `${count.toLocaleString()}件`),
    search: "地図の中の語を探す",
    none: "この語を含む文書はありません",
    found: (count) => `${count.toLocaleString()}件が含みます`,
    colour: "色分け",
    oneColour: "一色",
    topics: "話題",
    others: (count) => `他${count}種`,
    zoomIn: "拡大",
    zoomOut: "縮小",
    all: "全体を表示",
    theme: "明暗を切り替え",
    nearest: "近いもの",
    open: "読む",
    close: "選択を外す",
    failed: "近い文書を取り出せませんでした。",
  },
};

/** The words of the map in a language; Japanese for "ja…", else English. */
export function mapWords(language) {
  return MAP_WORDS[/^ja\b/i.test(language || "") ? "ja" : "en"];
}
