// How much a point covers that does not stand out while others do: on dark ground a little paint is hard to see.
export const FAINT = 0.2;
export const FAINT_DARK = 0.38;
// Okabe and Ito's colours, told apart by people with colour-blindness, then more for many groups; the rest share a grey.
const GROUPS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#a89a00", "#7f4fbf", "#a03b3b", "#2f8f6f", "#3f6fd0", "#c06a2b"];
const GROUPS_DARK = ["#5aaee6", "#f0b43c", "#2fc596", "#e59ac3", "#93d2f5", "#f58a4b", "#d6cb3a", "#b394ec", "#e58585", "#72d3ab", "#86a6f2", "#eba066"];
const REST = "#96918a";
// Viridis without the ends that a light or a dark ground would swallow.
const SCALE = ["#482475", "#414487", "#2a788e", "#1f9e89", "#56b84b", "#b5b01c"];
const SCALE_DARK = ["#7a6bd0", "#5b8bd4", "#38a9b4", "#34c08c", "#8dd44e", "#fde725"];

function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function onScale(share, scale) {
  const place = Math.min(Math.max(share, 0), 1) * (scale.length - 1);
  const low = Math.min(Math.floor(place), scale.length - 2);
  const [a, b] = [rgb(scale[low]), rgb(scale[low + 1])];
  return a.map((one, at) => Math.round(one + (b[at] - one) * (place - low)));
}

/** Colours for one column on a light or dark ground: bytes (r, g, b) a row, and the legend as [colour, text] pairs. */
export function colourBy(values, count, dark, others) {
  const [groups, scale] = dark ? [GROUPS_DARK, SCALE_DARK] : [GROUPS, SCALE];
  const bytes = new Uint8Array(count * 3);
  const paint = (row, colour) => {
    bytes[3 * row] = colour[0];
    bytes[3 * row + 1] = colour[1];
    bytes[3 * row + 2] = colour[2];
  };
  const rest = rgb(REST);
  if (!values) {
    const one = rgb(groups[0]);
    for (let row = 0; row < count; row++) paint(row, one);
    return { bytes, legend: [] };
  }
  const known = values.filter((value) => value !== null);
  const tally = new Map();
  for (const value of known) tally.set(value, (tally.get(value) || 0) + 1);
  const numeric = known.length > 0 && known.every((value) => typeof value === "number");
  if (numeric && tally.size > 2) {
    let low = Infinity;
    let high = -Infinity;
    for (const value of known) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    values.forEach((value, row) => paint(row, value === null ? rest : onScale((value - low) / (high - low || 1), scale)));
    const steps = [0, 0.25, 0.5, 0.75, 1].map((share) => [`rgb(${onScale(share, scale)})`, String(+(low + share * (high - low)).toPrecision(4))]);
    return { bytes, legend: steps };
  }
  const ranked = [...tally.entries()].sort((a, b) => b[1] - a[1] || (String(a[0]) < String(b[0]) ? -1 : 1));
  const colours = new Map(ranked.slice(0, groups.length).map(([value], at) => [value, rgb(groups[at])]));
  values.forEach((value, row) => paint(row, colours.get(value) || rest));
  const legend = ranked.slice(0, groups.length).map(([value, size], at) => [groups[at], `${value} · ${size.toLocaleString()}`]);
  if (ranked.length > groups.length) legend.push([REST, others(ranked.length - groups.length)]);
  return { bytes, legend };
}
