// Logs in by the form of the log-in page, and shows the page of the moment.
"use strict";

const form = document.getElementById("login");
const answerLine = document.getElementById("answer");

function refusal(status, wait) {
  if (status === 401) return "계정 또는 비밀번호가 맞지 않습니다. (Wrong account or password.)";
  if (status === 429) return `시도가 너무 많습니다. ${wait}초 뒤에 다시 시도하십시오. (Try again in ${wait} s.)`;
  return `로그인할 수 없습니다. (Not possible: ${status}.)`;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const fields = new FormData(form);
  const body = JSON.stringify({ account: fields.get("account"), password: fields.get("password") });
  answerLine.textContent = "";
  try {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch("/api/v1/session", { method: "POST", headers, body });
    if (answer.ok) {
      location.replace("/");
      return;
    }
    answerLine.textContent = refusal(answer.status, answer.headers.get("Retry-After"));
  } catch {
    answerLine.textContent = "연결이 끊겼습니다. (No connection.)";
  }
  form.elements.password.value = "";
});
