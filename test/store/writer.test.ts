import test from "ava";
import { VolatileRecords } from "#plugins/store/records.js";
import { GroupWriter } from "#plugins/store/writer.js";

const silent = { failed: () => undefined, recovered: () => undefined };

for (const steps of [0, 1, 2, 3, 4, 5, 6, 7, 8]) {
  test(`a write that comes ${steps} steps after the one before was done is carried out`, async (t) => {
    const records = new VolatileRecords();
    const writer = new GroupWriter(records, silent);
    await writer.write(new Map([["first", 1]]));
    for (let step = 0; step < steps; step++) await Promise.resolve();
    const second = writer.write(new Map([["second", 2]]));
    await writer.close();
    t.is(await records.read("second"), 2);
    await second;
  });
}
