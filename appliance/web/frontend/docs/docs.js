// Shows /openapi.json. A file of its own because the page's Content-Security-Policy allows no inline script.
"use strict";
window.addEventListener("load", () => {
  window.ui = SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#docs",
    deepLinking: true,
    displayRequestDuration: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    persistAuthorization: false,
    tryItOutEnabled: true,
    // The default asks a validator on the internet.
    validatorUrl: null,
    withCredentials: true,
  });
});
