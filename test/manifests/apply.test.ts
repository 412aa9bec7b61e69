import anyTest from 'ava';
import { spawn, spawnSync } from 'node:child_process';
import { fairlead } from '../cli/session.ts';
import { serveControlPlane } from '../../sim/live/controlplane.real.ts';
import { parseAllDocuments } from 'yaml';

const present = spawnSync('kubectl', ['version', '--client']).error === undefined;
if (!present) process.stderr.write('tests of applied manifests are skipped: kubectl absent\n');
const test = present ? anyTest.serial : anyTest.skip;

/** kubectl beside a server that runs in this process. */
async function kubectl(url: string, input: string, ...words: readonly string[]): Promise<string> {
  const child = spawn('kubectl', [`--server=${url}`, '--kubeconfig=/dev/null', ...words]);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (piece: Buffer) => { said += piece.toString(); });
  }
  child.stdin.end(input);
  const code = await new Promise((resolve) => { child.on('close', resolve); });
  return code === 0 ? said : `exit ${String(code)}: ${said}`;
}

test('a profile applies to an API server, the doctor is content, and the steps remove it', async (t) => {
  const served = await serveControlPlane({ controllers: [] });
  try {
    const { url } = served;
    const printed = await fairlead(['install', '--print', '--profile', 'l2']);
    const count = parseAllDocuments(printed.out).length;
    const applied = await kubectl(url, printed.out, 'apply', '--server-side', '-f', '-');
    t.is(applied.match(/ serverside-applied$/gmu)?.length, count, applied);
    t.regex(applied, /^daemonset\.apps\/fairlead-agent serverside-applied$/mu);

    const asked = ['--check', '^(crds|other-allocator|lb-label)$', '--kubernetes-endpoints', url];
    const doctor = await fairlead(['doctor', ...asked]);
    t.is(doctor.out, [
      'CHECK             RESULT   DETAIL',
      'other-allocator   OK       none found',
      'crds              OK       8 kinds',
      'lb-label          OK       no node is excluded',
      '',
    ].join('\n'), doctor.err);

    for (const step of ['workloads', 'rest'] as const) {
      const all = step === 'rest' ? ['--crds'] : [];
      const { out } = await fairlead(['uninstall', '--print', '--step', step, ...all]);
      const deleted = await kubectl(
        url, out, 'delete', '--wait=false', '--ignore-not-found', '-f', '-',
      );
      t.regex(deleted, / deleted$/mu);
    }
    const kinds = 'crd,clusterroles,daemonsets,deployments';
    const left = await kubectl(url, '', 'get', kinds, '-A', '-o', 'name');
    t.is(left.replaceAll(/^No resources found\n/gmu, ''), '');
  } finally {
    await served.close();
  }
});
