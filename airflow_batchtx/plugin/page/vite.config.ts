import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

import { defineConfig, type Plugin } from "vite";

const HERE = import.meta.dirname;

/** The sources that decide what is in the bundle, in the order of their paths. */
function sources(folder = HERE): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.name !== "node_modules")
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? sources(path) : [relative(HERE, path).split(sep).join("/")];
    })
    .sort();
}

/** Tells in the bundle what it was built from; a test of the package compares that with the sources. */
function built(): Plugin {
  const digest = createHash("sha256");
  for (const path of sources()) {
    digest.update(`${path}\0`).update(readFileSync(join(HERE, path))).update("\0");
  }
  const banner = `/* airflow-batchtx, built by \`make page\` of sources sha256:${digest.digest("hex")} */\n`;
  return {
    name: "built",
    enforce: "post",
    generateBundle(_, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type === "chunk") {
          file.code = banner + file.code;
        }
      }
    },
  };
}

// Airflow's own copies of these: so the page has Airflow's theme, its colour mode and its router.
const GIVEN = {
  "@chakra-ui/react": "ChakraUI",
  react: "React",
  "react-router-dom": "ReactRouterDOM",
  "react/jsx-runtime": "ReactJSXRuntime",
};

export default defineConfig({
  build: {
    emptyOutDir: false,
    lib: { entry: "src/main.tsx", fileName: () => "page.js", formats: ["iife"], name: "BatchtxPage" },
    outDir: "../static",
    rollupOptions: { external: Object.keys(GIVEN), output: { globals: GIVEN } },
    target: "es2022",
  },
  plugins: [built()],
});
