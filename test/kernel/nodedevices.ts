// Runs the real devices of the network namespace that it is started in, with programs of the
// fixture on the hooks. Prints the facts after each change; ends with its standard input.
import { Attachments } from '../../bpf/attachments.real.ts';
import { realDevices } from '../../bpf/devices.real.ts';
import { refusalText } from '../../bpf/refusal.real.ts';
import { machine } from './machine.ts';
import { Rig } from './rig.ts';

const [, , pins = '', hook = 'tcx'] = process.argv;
const found = machine();
if (!('addon' in found)) throw new Error(found.missing);
const { addon } = found;
const rig = new Rig(addon, 'test/kernel/fixtures/probe.bpf.o');
const stand = rig.object.programs.get('t_count')!;
const names = ['fl_from_pod', 'fl_to_pod', 'fl_uplink_in', 'fl_uplink_out'];
const programs = new Map(names.map((name) => [name, stand]));
const attachments = new Attachments({
  addon, object: { ...rig.object, programs }, pins, hook: hook as 'tcx' | 'clsact',
  refused: (refusal) => process.stderr.write(`${refusalText(refusal)}\n`),
});
const devices = realDevices({
  addon,
  options: () => ({ nodeAddresses: [], devices: [], announces: () => false }),
  place: (placement) => attachments.place(placement),
});

function show(): void {
  const text = JSON.stringify(devices.facts(), (_, value: unknown) => (
    typeof value === 'bigint' ? String(value) : value
  ));
  process.stdout.write(`${text}\n`);
}

devices.onChange(show);
process.stdin.on('end', () => process.exit()).resume();
