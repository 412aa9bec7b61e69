import test from 'ava';
import { profileObjects } from '../../cli/manifests/profile.ts';
import { convergedCluster, manifestsOf } from '../sim/fixture.ts';

type Rule = Readonly<Record<'apiGroups' | 'resources' | 'verbs', readonly string[]>>;

/** `verb resource` of every rule of an account; a status counts as its object. */
function permitted(account: string): ReadonlySet<string> {
  const objects = profileObjects('base', []);
  const rules = (objects.ok ? objects.value : []).filter(({ kind, metadata }) => (
    (kind === 'Role' || kind === 'ClusterRole') && metadata?.name === account
  )).flatMap((role) => role['rules'] as readonly Rule[]);
  return new Set(rules.flatMap(({ resources, verbs }) => resources.flatMap((resource) => (
    verbs.map((verb) => `${verb} ${resource.replace(/\/.*$/u, '')}`)
  ))));
}

// Server-side apply is a patch to a server's authorizer.
const verbs = new Map([['apply', 'patch']]);

test('agents and the controller may do what they do in the homelab', (t) => {
  const folder = 'kind/examples/homelab';
  const cluster = convergedCluster(manifestsOf(
    ...['fairlead', 'nodes', 'services'].map((name) => `${folder}/${name}.yaml`),
  ));
  const asked = { 'fairlead-agent': new Set<string>(), 'fairlead-controller': new Set<string>() };
  for (const { user, verb, resource } of cluster.api.statistics()) {
    const account = `fairlead-${user.split('/')[0]}`;
    if (account !== 'fairlead-agent' && account !== 'fairlead-controller') continue;
    asked[account].add(`${verbs.get(verb) ?? verb} ${resource}`);
  }
  for (const account of ['fairlead-agent', 'fairlead-controller'] as const) {
    t.true(asked[account].size > 10, account);
    const allowed = permitted(account);
    t.deepEqual([...asked[account]].filter((one) => !allowed.has(one)), [], account);
  }
});
