mountMap(document.getElementById("map"), JSON.parse(document.getElementById("map-data").textContent));
