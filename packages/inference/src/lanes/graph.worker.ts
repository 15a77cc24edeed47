/** A thread that writes the graph of a network of ours, so that tfjs and its memory go with it. */

import { serveRequests } from "@geolearn/core";

import { graphOf } from "./own-network.ts";

serveRequests(async (setup: Parameters<typeof graphOf>[0]) => ({ reply: await graphOf(setup) }));
