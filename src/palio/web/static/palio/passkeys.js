"use strict";
// Shows why signing in with a passkey failed. allauth's scripts only write it to the console.

(() => {
  const isNumber = /^[\d.]+$|:/.test(location.hostname);
  const says = {
    NotAllowedError: "Cancelled, timed out, or your device has no passkey for this site.",
    InvalidStateError: "This device already has a passkey for your account.",
    SecurityError: isNumber
      ? "Passkeys do not work with an IP address. Open this site by its host name, or as localhost."
      : "Passkeys require HTTPS and the host name of this platform.",
  };

  document.addEventListener("allauth.error", (event) => {
    const error = event.detail.exception;
    const main = document.getElementById("main");
    const said = main.querySelector(".passkey-refused") ?? document.createElement("p");
    said.className = "message error passkey-refused";
    said.setAttribute("role", "alert");
    said.textContent = says[error.name] ?? `Your browser could not use a passkey: ${error.message}`;
    main.prepend(said);
    event.preventDefault();
  });
})();
