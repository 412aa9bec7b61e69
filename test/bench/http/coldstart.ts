// Prints the milliseconds from the start of `sim up` to the first answered `kubectl get svc`.
import { execFileSync } from 'node:child_process';
import { startUp } from './up.ts';

const started = performance.now();
const up = await startUp('-f', 'kind/examples/homelab');
const env = { ...process.env, KUBECONFIG: up.kubeconfig };
const table = execFileSync('kubectl', ['get', 'svc', '-A'], { env, encoding: 'utf8' });
const elapsed = performance.now() - started;
await up.stop();
if (!table.includes('jellyfin')) throw new Error(table);
console.log(elapsed);
