import { findConflicts } from '../../lb/ipam/conflict.ts';
import { judgePool, type PoolJudgement } from '../../lb/ipam/pool.ts';
import type { Pool } from '../../lb/model.ts';
import { compareText } from '../../lb/table.ts';
import { selectorLabels } from '../../l2/selection.ts';
import { findingAt, splitPath, type Finding } from '../finding.ts';
import type { FolderModel, Row } from '../foldermodel.ts';

/** What the controller says about pools: invalid specs, warnings, overlaps, idle selectors. */
export function poolFindings(model: FolderModel): Finding[] {
  const judged = model.pools.map((row) => ({ row, judgement: judgePool(row.value) }));
  return [
    ...judged.flatMap(({ row, judgement }) => judgementFindings(row, judgement)),
    ...conflictFindings(model.pools),
    ...judged.flatMap(({ row, judgement }) => idleFindings(row, judgement, model)),
  ];
}

function judgementFindings(row: Row<Pool>, judgement: PoolJudgement): Finding[] {
  switch (judgement.kind) {
    case 'valid':
      return [];
    case 'warned':
      return [findingAt(row.place, {
        severity: 'warning',
        code: 'valid_with_warnings',
        ...splitPath(judgement.message),
      })];
    case 'invalid':
      return [findingAt(row.place, {
        severity: 'error',
        code: judgement.reason,
        ...splitPath(judgement.message),
      })];
  }
}

// Manifests have no age, so that the pool order of one second decides: by name.
function conflictFindings(pools: readonly Row<Pool>[]): Finding[] {
  const contenders = pools
    .toSorted((left, right) => compareText(left.value.meta.name, right.value.meta.name))
    .flatMap(({ value }) => {
      const judgement = judgePool(value);
      return judgement.kind === 'invalid'
        ? []
        : [{ name: value.meta.name, config: judgement.config }];
    });
  const conflicts = findConflicts(contenders);
  return pools.flatMap(({ value, place }) => {
    const conflict = conflicts.get(value.meta.name);
    if (conflict === undefined) return [];
    const path = /spec\.(?:blocks|cidrs)\[[0-9]+\]/u.exec(conflict.message)?.[0] ?? 'spec.blocks';
    return [findingAt(place, {
      severity: 'error',
      code: 'cidr_overlap',
      path,
      message: conflict.message.replace(`${path} `, ''),
    })];
  });
}

// Without a Service in the folder the pools may be for others, and nothing is said.
function idleFindings(
  row: Row<Pool>,
  judgement: PoolJudgement,
  { services }: FolderModel,
): Finding[] {
  if (judgement.kind === 'invalid' || services.length === 0) return [];
  const { matches } = judgement.config;
  const wanted = services.filter(({ value }) => value.type === 'LoadBalancer');
  if (wanted.some(({ value }) => matches(selectorLabels(value)))) return [];
  return [findingAt(row.place, {
    severity: 'warning',
    code: 'SelectorMatchesNothing',
    path: 'spec.serviceSelector',
    message: 'selects no Service of type LoadBalancer in the folder',
  })];
}
