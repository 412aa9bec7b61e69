// Attaches and pins a link to the device that its arguments name, and kills itself: the parent
// looks at what is left. Run in the device's network namespace.
import { attach } from '../../bpf/hooks.real.ts';
import { machine } from './machine.ts';
import { Rig } from './rig.ts';

const [, , pin = '', ifindex = ''] = process.argv;
const found = machine();
if (!('addon' in found)) throw new Error(found.missing);
const rig = new Rig(found.addon, 'test/kernel/fixtures/probe.bpf.o');
const attached = attach(found.addon, {
  hook: { kind: 'tcx', ifindex: Number(ifindex), direction: 'ingress' },
  program: rig.object.programs.get('t_count_other')!, pin,
});
if (!attached.ok) throw new Error(attached.error.operation);
process.kill(process.pid, 'SIGKILL');
