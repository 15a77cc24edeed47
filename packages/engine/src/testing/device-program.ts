/** Runs the cases of device-cases.ts on a device and prints one line of JSON per case: `node device-program.ts DEVICE [GROUP...]`. */

import { GeoLearnError } from "@geolearn/core";
import { startEngine } from "../start.ts";
import type { Device } from "../types.ts";
import { deviceCases } from "./device-cases.ts";

const [device, ...groups] = process.argv.slice(2);
const print = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

async function main(): Promise<void> {
  try {
    print({ info: await startEngine({ device: device as Device, threads: 2 }) });
  } catch (error) {
    if (!GeoLearnError.is(error, "DEVICE_UNAVAILABLE")) throw error;
    print({ refused: error.message });
    return;
  }
  for (const row of deviceCases()) {
    if (groups.length > 0 && !groups.includes(row.group)) continue;
    const label = { group: row.group, name: row.name };
    try {
      const arrays = await row.compute();
      print({ ...label, arrays: Object.fromEntries(Object.entries(arrays).map(([name, values]) => [name, Array.from(values)])) });
    } catch (error) {
      print({ ...label, error: String(error) });
    }
  }
}

await main();
