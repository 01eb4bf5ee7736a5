const mapData = JSON.parse(document.getElementById("map-data").textContent);
document.documentElement.lang = /^ja\b/i.test(navigator.language) ? "ja" : "en";
mountMap(document.getElementById("map"), mapData, { language: navigator.language, theme: true });
