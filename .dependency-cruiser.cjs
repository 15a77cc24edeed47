/** The arrows of the architecture: a room may import only what stands here. */
const arrows = {
  core: [],
  "data-prep": ["core"],
  engine: ["core"],
  models: ["core", "engine"],
  training: ["core", "engine", "data-prep", "models"],
  postprocess: ["core"],
  inference: ["core", "engine", "models", "postprocess"],
  geolearn: ["core", "data-prep", "engine", "models", "training", "postprocess", "inference"],
};

const rooms = Object.keys(arrows);

module.exports = {
  forbidden: [
    ...rooms.map((room) => ({
      name: `${room}-imports`,
      comment: `${room} may import ${arrows[room].join(", ") || "no other room"}.`,
      severity: "error",
      from: { path: `^packages/${room}/` },
      to: { path: `^packages/(?!(${[room, ...arrows[room]].join("|")})/)` },
    })),
    ...rooms.map((room) => ({
      name: `${room}-front-door`,
      comment: "Rooms are entered through their index; the engine also by its door without tfjs.",
      severity: "error",
      from: { path: `^packages/(?!${room}/)` },
      to: { path: `^packages/${room}/src/(?!${room === "engine" ? "(index|onnx)" : "index"}\\.ts$)` },
    })),
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } } },
    {
      name: "no-tfjs-below",
      comment: "Core, data-prep and postprocess know no networks.",
      severity: "error",
      from: { path: "^packages/(core|data-prep|postprocess)/" },
      to: { path: "@tensorflow" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(/dist/|\\.test\\.ts$|tsup\\.config\\.ts$)" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["@geolearn/source", "import", "types", "node", "default"] },
  },
};
