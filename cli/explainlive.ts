import { publishedAddresses } from '../l2/selection.ts';
import { wantedFamilies } from '../lb/ipam/request.ts';
import type { Service, ServiceKey } from '../lb/model.ts';
import { announcementIn } from './checks/announcements.ts';
import { allocationStep, announcementStep } from './explainlinks.ts';
import { endpointStep, frontendStep } from './explainrun.ts';
import type { ExplainStep, ServiceExplanation } from './explanation.ts';
import type { LiveModel } from './livemodel.ts';

/**
 * The chain of one Service of a live cluster by what its API holds: the datapath is known to the
 * agents alone, so that the last link stays unreached. Undefined: no such Service.
 */
export function explainLive(live: LiveModel, key: ServiceKey): ServiceExplanation | undefined {
  const { model, objectCount } = live;
  const row = model.services.find(({ value }) => value.key === key);
  if (row === undefined) return undefined;
  const { value: service } = row;
  return {
    service: key,
    type: service.type,
    families: service.type === 'LoadBalancer'
      ? wantedFamilies(service, model.ipam) : service.ipFamilies,
    ports: service.ports.map(({ port, protocol }) => `${port}/${protocol}`),
    source: 'cluster',
    basis: `${objectCount} objects`,
    steps: [
      writtenStep(live, service),
      holderStep(live, service),
      frontendStep(service),
      endpointStep(model, row),
      { step: 'datapath', state: 'unreached', message: 'no agent was asked', evidence: [] },
    ],
  };
}

/** Step 1: the plan of the allocation, and whether the controller has written it. */
function writtenStep({ model }: LiveModel, service: Service): ExplainStep {
  const planned = allocationStep(model, service);
  const written = publishedAddresses(service).some(({ kind }) => kind === 'load-balancer');
  const awaited = service.type === 'LoadBalancer' && planned.message !== 'not asked for';
  if (planned.state !== 'ok' || written || !awaited) return planned;
  return {
    step: planned.step,
    state: 'fail',
    reason: 'ControllerDown',
    message: `due is ${planned.message}, but nobody has written it into the status`,
    evidence: [],
    next: 'look whether fairlead controller runs and leads',
  };
}

/** Step 2: who holds the addresses, by the locks. BGP alone rests on its selectors. */
function holderStep(live: LiveModel, service: Service): ExplainStep {
  const { model } = live;
  const selected = announcementStep(model, service);
  const announcement = announcementIn(model, service);
  const byL2 = announcement.kind === 'announced' &&
    announcement.by.some((name) => name.startsWith('l2'));
  if (selected.state !== 'ok' || service.type !== 'LoadBalancer' || !byL2) return selected;
  const holders = publishedAddresses(service).map(({ ip }) => ({ ip, nodes: live.ownersOf(ip) }));
  const silent = holders.filter(({ nodes }) => nodes.length === 0);
  if (silent.length === 0) {
    const owners = holders.map(({ ip, nodes }) => `${ip} by ${nodes.join(', ')}`);
    return { ...selected, message: [selected.message, ...owners].join('; ') };
  }
  return {
    step: selected.step,
    state: 'fail',
    reason: 'NoHolder',
    message: `no node holds ${silent.map(({ ip }) => ip).join(', ')}`,
    evidence: [],
    next: 'look whether the agents run: kubectl get leases -A -l fairlead.dev/l2=session',
  };
}
