// Okabe and Ito's colours, told apart by people with colour-blindness, then more for many groups; the rest share a grey.
const GROUPS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#a89a00", "#7f4fbf", "#a03b3b", "#2f8f6f", "#3f6fd0", "#c06a2b"];
const REST = "#9a9a9a";
const SCALE = ["#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725"];

function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function onScale(share) {
  const place = Math.min(Math.max(share, 0), 1) * (SCALE.length - 1);
  const low = Math.min(Math.floor(place), SCALE.length - 2);
  const [a, b] = [rgb(SCALE[low]), rgb(SCALE[low + 1])];
  return a.map((one, at) => Math.round(one + (b[at] - one) * (place - low)));
}

/** Colours for one column: bytes (r, g, b) a row, and the legend as [colour, text] pairs. */
export function colourBy(values, count) {
  const bytes = new Uint8Array(count * 3);
  const paint = (row, colour) => bytes.set(colour, row * 3);
  if (!values) {
    for (let row = 0; row < count; row++) paint(row, rgb(GROUPS[0]));
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
    values.forEach((value, row) => paint(row, value === null ? rgb(REST) : onScale((value - low) / (high - low || 1))));
    const steps = [0, 0.25, 0.5, 0.75, 1].map((share) => [`rgb(${onScale(share)})`, String(+(low + share * (high - low)).toPrecision(4))]);
    return { bytes, legend: steps };
  }
  const ranked = [...tally.entries()].sort((a, b) => b[1] - a[1] || (String(a[0]) < String(b[0]) ? -1 : 1));
  const colours = new Map(ranked.slice(0, GROUPS.length).map(([value], at) => [value, GROUPS[at]]));
  values.forEach((value, row) => paint(row, rgb(colours.get(value) || REST)));
  const legend = ranked.slice(0, GROUPS.length).map(([value, size]) => [colours.get(value), `${value} (${size})`]);
  if (ranked.length > GROUPS.length) legend.push([REST, `${ranked.length - GROUPS.length} others`]);
  return { bytes, legend };
}
