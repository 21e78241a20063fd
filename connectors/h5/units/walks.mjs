// Many walks by hand: node connectors/h5/units/walks.mjs FIRST LAST [STEPS]. Prints the seeds that break a promise.

import { walk } from "./world.mjs";

const [first, last, steps = 250] = process.argv.slice(2).map(Number);
if (!(first >= 1 && last >= first && steps > 0)) throw new Error("walks.mjs FIRST LAST [STEPS]: seeds from 1 on");

let broken = 0;
for (let seed = first; seed <= last; seed += 1) {
  try {
    walk(seed, steps);
  } catch (error) {
    broken += 1;
    console.log(error.message);
  }
}
console.log(`${last - first + 1} walks of ${steps} steps, ${broken} broken`);
process.exitCode = broken ? 1 : 0;
