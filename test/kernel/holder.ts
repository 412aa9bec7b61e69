// Takes the host lock that its argument names, says so, and stays until it is killed.
import { realKernel } from '../../bpf/kernel.real.ts';
import { machine } from './machine.ts';

const found = machine();
if (!('addon' in found)) throw new Error(found.missing);
const [, , name = ''] = process.argv;
const kernel = realKernel(found.addon, new Map());
kernel.hostLock(name, () => process.stdout.write('held\n'));
// A kernel that nobody refers to is collected, and its lock with it.
setInterval(() => kernel.bootId, 60_000);
