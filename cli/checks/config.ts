import { loadConfiguration, type ConfigFault } from '../daemon/configuration.ts';
import type { Finding } from '../finding.ts';
import type { FolderModel } from '../foldermodel.ts';
import type { ManifestObject } from '../../kube/manifest.ts';

const key = 'config.yaml';

/** What agent and controller would refuse of `fairlead-config`, or bring within bounds. */
export function configFindings(model: FolderModel): Finding[] {
  return model.all.filter(({ object: { apiVersion, kind, metadata } }) => (
    apiVersion === 'v1' && kind === 'ConfigMap' && metadata?.name === 'fairlead-config'
  )).flatMap(findingsIn);
}

function findingsIn(place: ManifestObject): Finding[] {
  const texts = place.object['data'] as Readonly<Record<string, unknown>> | undefined;
  const text = texts?.[key];
  if (typeof text !== 'string') return [];
  const loaded = loadConfiguration({ file: '', text, env: {}, flags: {} });
  if (!loaded.ok) return loaded.error.map((fault) => findingOf(place, text, fault));
  return loaded.value.warnings.map((message) => (
    findingOf(place, text, { place: '', path: '', message }, 'warning')
  ));
}

function findingOf(
  place: ManifestObject, text: string, ...[fault, severity = 'error']: readonly [
    fault: ConfigFault, severity?: Finding['severity'],
  ]
): Finding {
  const at = place.positionOf(`data[${key}]`);
  const { metadata: { namespace = '', name = '' } = {} } = place.object;
  // `:line:column` within the text, which begins below its key and is indented by two columns.
  const [, line, column] = /:(\d+):(\d+)/u.exec(fault.place) ?? [];
  const inside = text.includes('\n') && line !== undefined;
  return {
    file: place.file,
    line: inside ? at.line + Number(line) : at.line,
    column: inside ? at.column + 1 + Number(column) : at.column,
    severity, code: 'ConfigRejected', kind: 'ConfigMap', object: `${namespace}/${name}`,
    path: fault.path, message: fault.message,
  };
}
