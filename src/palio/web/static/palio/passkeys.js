"use strict";
// Shows why signing in with a passkey failed. allauth's scripts only write it to the console.

(() => {
  const isNumber = /^[\d.]+$|:/.test(location.hostname);
  const { notAllowed, invalidState, byNumber, insecure, other } = document.getElementById("passkey-texts").dataset;
  const says = { NotAllowedError: notAllowed, InvalidStateError: invalidState, SecurityError: isNumber ? byNumber : insecure };

  document.addEventListener("allauth.error", (event) => {
    const error = event.detail.exception;
    const main = document.getElementById("main");
    const said = main.querySelector(".passkey-refused") ?? document.createElement("p");
    said.className = "message error passkey-refused";
    said.setAttribute("role", "alert");
    said.textContent = says[error.name] ?? other.replace("{reason}", error.message);
    main.prepend(said);
    event.preventDefault();
  });
})();
