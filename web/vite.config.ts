// How the page is built: plain files, nothing inlined, so that `default-src 'self'` is enough.
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    // A data: URL would need an exception in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: ["index.html", "src/worker/sw.ts"],
      output: {
        // The browser knows a service worker by its name, so this one file must keep it.
        entryFileNames: ({ name }) => (name === "sw" ? "sw.js" : "assets/[name]-[hash].js"),
      },
    },
  },
  server: {
    proxy: { "/socket.io": { target: "http://127.0.0.1:3000", ws: true } },
  },
});
