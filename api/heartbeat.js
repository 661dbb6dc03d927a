// Keeps the claim of whoever has this page in view. The server says when to send the next beat; null: no more.
"use strict";
(() => {
  const path = document.currentScript.dataset.beats;
  let seconds = 60;

  async function beat() {
    if (document.visibilityState === "visible") {
      try {
        const answer = await fetch(path, { method: "POST" });
        if ([401, 403, 404, 409, 422].includes(answer.status)) {
          document.getElementById("lease").textContent = "This case is not yours any more. Load the page again.";
          return;
        }
        if (answer.ok) seconds = (await answer.json()).again_in_seconds;
      } catch {
        // The server cannot be reached now; the next beat may arrive.
      }
    }
    if (seconds !== null) setTimeout(beat, 1000 * seconds);
  }

  beat();
})();
