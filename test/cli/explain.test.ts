/** What the .proto files say of models and fields, as `tenuto explain` prints it. */
import test from "ava";
import { explanation } from "#cli/commands/explain.js";
import { CommandError } from "#cli/exit.js";

const EXPLAINED = [
  {
    path: undefined,
    says: /^interface +config\/linux\/interfaces\/v2\/interface\/… +ligato\.linux\.interfaces\.Interface$/m,
  },
  { path: "linux.l3.route", says: /^gw_addr +string +Address of the next hop/m },
  { path: "config/linux/l3/v2/rule/100", says: /^model: linux\.l3\.rule$/m },
  { path: "interface.vxlan.vni", says: /^field: vni \(uint32\)\n\nNetwork identifier, 0 to 16777215/m },
  { path: "route.next_hops", says: /^field: next_hops \(list of NextHop\)\n(.*\n)+FIELD +TYPE +MEANING\n/m },
  { path: "route.type", says: /^BLACKHOLE +Drop silently\.$/m },
  { path: "nothing", fails: /there is no model "nothing"; it is one of interface, route, / },
  { path: "route.color", fails: /Route has no field color; it has outgoing_interface, / },
  { path: "route.metric.x", fails: /metric is no message/ },
];

for (const { path, says, fails } of EXPLAINED) {
  test(`explain of ${path ?? "everything"}`, async (t) => {
    if (says !== undefined) t.regex(await explanation(path), says);
    else await t.throwsAsync(explanation(path), { instanceOf: CommandError, message: fails });
  });
}
