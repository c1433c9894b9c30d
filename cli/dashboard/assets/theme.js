// Before the first paint: the theme that was chosen last, so that nothing flashes.
"use strict";
try {
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch { /* without storage, the system's own theme */ }
