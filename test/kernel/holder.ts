// Takes the host lock that its argument names, says so, and stays until it is killed.
import { realKernel } from '../../bpf/kernel.real.ts';
import { machine } from './machine.ts';

const found = machine();
if (!('addon' in found)) throw new Error(found.missing);
const [, , name = ''] = process.argv;
realKernel(found.addon, new Map()).hostLock(name, () => process.stdout.write('held\n'));
setInterval(() => undefined, 60_000);
