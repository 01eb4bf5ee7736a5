const mapData = JSON.parse(document.getElementById("map-data").textContent);
document.documentElement.lang = /^ja\b/i.test(navigator.language) ? "ja" : "en";
const picture = Object.keys(mapData.pictures).length ? async (row) => mapData.pictures[row] : null;
mountMap(document.getElementById("map"), mapData, { language: navigator.language, theme: true, picture });
