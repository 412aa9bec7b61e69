import type { Command } from 'commander';
import { Option } from 'commander';
import { serviceKey, type ServiceKey } from '../lb/model.ts';

export interface NamespaceFlags {
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
}

/** Adds `-n` and `-A`; `-A` wins. */
export function withNamespace(command: Command): Command {
  return command
    .addOption(new Option('-n, --namespace <name>', 'namespace of the objects')
      .env('FAIRLEAD_NAMESPACE'))
    .option('-A, --all-namespaces', 'every namespace');
}

/** `NAME`, `NS/NAME`, `svc/NAME` or `svc/NS/NAME` as a Service's key. */
export function serviceNamed(text: string, { namespace = 'default' }: NamespaceFlags): ServiceKey {
  const parts = text.replace(/^(?:svc|service|services)\//u, '').split('/');
  const [first = '', second] = parts;
  return second === undefined ? serviceKey(namespace, first) : serviceKey(first, second);
}
