/** `pnpm geolearn` in a clone: pnpm starts scripts in the root, paths are meant from where the user stands. */

if (process.env["INIT_CWD"] !== undefined) process.chdir(process.env["INIT_CWD"]);
await import("../packages/geolearn/src/cli/main.ts");
