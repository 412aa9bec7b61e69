import { formatSelector } from '../lb/selector-text.ts';
import type { AllocationExplanation, PoolVerdict } from '../lb/ipam/explain.ts';
import type { Pool, Service } from '../lb/model.ts';
import { announcementIn } from './checks/announcements.ts';
import { serviceBackendFindings } from './checks/workloads.ts';
import type { Evidence, ExplainStep } from './explanation.ts';
import type { FolderModel, Row } from './foldermodel.ts';
import { planFolder } from './plan.ts';

/** Step 1: what the controller's own plan gives the Service, or why nothing. */
export function allocationStep(model: FolderModel, service: Service): ExplainStep {
  const step = 'allocation';
  if (service.type !== 'LoadBalancer') {
    return { step, state: 'ok', message: `type ${service.type} needs no address`, evidence: [] };
  }
  const plan = planFolder(model).services.find(({ key }) => key === service.key);
  if (plan === undefined) return { step, state: 'ok', message: 'not asked for', evidence: [] };
  const { explanation } = plan;
  if (explanation.stance === 'served') {
    const held = explanation.addresses.map(({ ip, pool }) =>
      pool === '' ? `${ip} of a node` : `${ip} from pool ${pool}`);
    return { step, state: 'ok', message: held.join(', '), evidence: [] };
  }
  const evidence = explanation.pools.map((verdict) => poolEvidence(verdict, model, service));
  return {
    step,
    state: 'fail',
    reason: explanation.code,
    message: allocationMessage(explanation),
    evidence,
    next: allocationRemedy(explanation, model, service),
  };
}

function allocationMessage({ code, message, pools }: AllocationExplanation): string {
  if (code !== 'no_pool') return message;
  if (pools.length === 0) return 'there is no pool';
  const looked = pools.length === 1 ? '1 pool' : `${pools.length} pools`;
  return `${looked} looked at, none serves this Service`;
}

function poolEvidence(verdict: PoolVerdict, model: FolderModel, service: Service): Evidence {
  const { pool: object, code, message } = verdict;
  const pool = poolNamed(model, object);
  const selector = pool?.serviceSelector;
  if (code !== 'PoolSelectorMismatch' || selector === undefined) return { object, code, message };
  const keys = [
    ...Object.keys(selector.matchLabels),
    ...selector.matchExpressions.map(({ key }) => key),
  ];
  const has = [...new Set(keys)].map((key) => `${key}=${service.meta.labels[key] ?? '<none>'}`);
  const wanted = formatSelector(selector);
  return { object, code, message: `pool wants ${wanted}, Service has ${has.join(',')}` };
}

const remedies: ReadonlyMap<string, string> = new Map([
  ['out_of_ips', 'add a block to a pool; first: fairlead ippool plan -f DIR'],
  ['already_allocated', 'ask for a free address (fairlead ippool list POOL -f DIR), or give both ' +
    'Services one annotation lbipam.cilium.io/sharing-key'],
  ['already_allocated_incompatible_service', 'remove what keeps the two Services from sharing'],
  ['invalid_request', 'correct annotation lbipam.cilium.io/ips or spec.loadBalancerIP'],
  ['no_family', 'enable a family of spec.ipFamilies'],
  ['owner_disabled', 'change that setting, or spec.loadBalancerClass'],
  ['OwnerDisabled', 'change that setting, or spec.loadBalancerClass'],
  ['ForeignClass', 'ask the controller of spec.loadBalancerClass'],
]);

// The first pool that the Service could have with a label is the smallest change.
function allocationRemedy(
  { code, pools }: AllocationExplanation,
  model: FolderModel,
  service: Service,
): string {
  const known = remedies.get(code);
  if (known !== undefined) return known;
  const disabled = pools.find((verdict) => verdict.code === 'PoolDisabled');
  if (disabled !== undefined) return `enable pool ${disabled.pool}`;
  const { namespace, name } = service.meta;
  const mismatched = pools.find((verdict) => verdict.code === 'PoolSelectorMismatch');
  const selector = poolNamed(model, mismatched?.pool)?.serviceSelector;
  const labels = Object.entries(selector?.matchLabels ?? {});
  if (mismatched !== undefined && labels.length > 0) {
    const wanted = labels.map(([key, value]) => `${key}=${value}`).join(' ');
    return `kubectl label svc -n ${namespace} ${name} --overwrite ${wanted}       or widen the ` +
      `selector of pool ${mismatched.pool}; first: fairlead ippool plan -f DIR`;
  }
  return 'create a CiliumLoadBalancerIPPool that selects the Service, with addresses of its family';
}

function poolNamed(model: FolderModel, name: string | undefined): Pool | undefined {
  return model.pools.find(({ value }) => value.meta.name === name)?.value;
}

/** Step 2, as far as selectors decide it: who would announce the Service. */
export function announcementStep(model: FolderModel, service: Service): ExplainStep {
  const step = 'announcement';
  if (service.type !== 'LoadBalancer') {
    return { step, state: 'ok', message: 'nothing to announce', evidence: [] };
  }
  const announcement = announcementIn(model, service);
  switch (announcement.kind) {
    case 'announced':
      return { step, state: 'ok', message: announcement.by.join(', '), evidence: [] };
    case 'foreign':
      return { step, state: 'ok', message: 'left to the controller of its class', evidence: [] };
    case 'silent': {
      const kind = announcement.message.replace('no ', '');
      const { code: reason } = announcement;
      const message = `${announcement.message} selects this Service`;
      const next = `create a ${kind} that selects it, or label the Service for one`;
      return { step, state: 'fail', reason, message, evidence: [], next };
    }
  }
}

/** Step 4, as far as labels decide it. */
export function backendStep(model: FolderModel, row: Row<Service>): ExplainStep {
  const step = 'backends';
  const [finding] = serviceBackendFindings(model, row);
  if (finding === undefined)
    return { step, state: 'ok', message: 'selected by labels', evidence: [] };
  const { code: reason, message, path } = finding;
  return { step, state: 'fail', reason, message, evidence: [], next: `correct ${path}` };
}
