/** How a client of the Kubernetes API shows who it is, and knows who answers. */
export interface KubeCredentials {
  /** PEM certificates that the server's has to lead to; absent: those that the system trusts. */
  readonly ca?: string;
  /** Name in the server's certificate, where it is not the host of the endpoint. */
  readonly serverName?: string;
  /** True: whoever answers is believed, for servers that nobody has certified. */
  readonly insecure?: boolean;
  /** Certificate and key of the client, both PEM. */
  readonly client?: { readonly certificate: string; readonly key: string };
  readonly authorization?: Authorization;
  /** URL of a proxy in front of every endpoint: http, https or socks5. */
  readonly proxy?: string;
  /** User on whose behalf requests are made (Impersonate-User). */
  readonly impersonate?: string;
}

export type Authorization =
  /** The value of the header, `Bearer …` or `Basic …`. */
  | { readonly kind: 'fixed'; readonly header: string }
  /** A file with a bearer token that somebody else keeps fresh, as the kubelet does. */
  | { readonly kind: 'token-file'; readonly path: string };
