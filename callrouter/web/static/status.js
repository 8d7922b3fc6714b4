// Puts the newest <main> in the place of the old one, and says so when there is none to be had.
"use strict";

const period = 1000 * Number(document.currentScript.dataset.refreshS);
const notice = document.getElementById("connection");

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(2 * period) });
    if (answer.redirected) {  // to the log-in page: the session is over
      location.replace(answer.url);
      return;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.querySelector("main").replaceWith(fresh.querySelector("main"));
    notice.textContent = "";
  } catch {
    notice.textContent = "연결이 끊겼습니다. 아래는 지난 현황입니다.";
  }
}

async function keepFresh() {
  await refresh();
  setTimeout(keepFresh, period);
}

setTimeout(keepFresh, period);
document.addEventListener("visibilitychange", refresh);

document.getElementById("log-out")?.addEventListener("click", async () => {
  await fetch("/api/v1/session", { method: "DELETE" });
  location.replace("/login");
});
