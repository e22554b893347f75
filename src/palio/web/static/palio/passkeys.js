"use strict";
// Says what became of a passkey that did not sign in. allauth's scripts ask the browser, and would tell the console alone.

(() => {
  const isNumber = /^[\d.]+$|:/.test(location.hostname);
  const says = {
    NotAllowedError: "It was cancelled, took too long, or your device has no passkey for this address.",
    InvalidStateError: "This device has a passkey for your account already.",
    SecurityError: isNumber
      ? "Passkeys are for a name, never for a number: open these pages at localhost, or at the platform's own name."
      : "Passkeys need the platform's own name in the address, and https.",
  };

  document.addEventListener("allauth.error", (event) => {
    const error = event.detail.exception;
    const main = document.getElementById("main");
    const said = main.querySelector(".passkey-refused") ?? document.createElement("p");
    said.className = "message error passkey-refused";
    said.setAttribute("role", "alert");
    said.textContent = says[error.name] ?? `Your browser could not use a passkey here: ${error.message}`;
    main.prepend(said);
    event.preventDefault();
  });
})();
