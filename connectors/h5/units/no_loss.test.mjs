// The random walk: every text and file arrives once and in order, and both pages end with the hub's own history.

import { test } from "node:test";

import { walk } from "./world.mjs";

const RUNS = 300;
const STEPS = 250;

test("every text and file arrives once and in order, whatever happens in between", () => {
  for (let seed = 1; seed <= RUNS; seed += 1) walk(seed, STEPS);
});
