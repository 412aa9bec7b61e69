#!/bin/sh
# Builds the image, makes the cluster of kind/cluster.yaml and installs fairlead on it. Needs docker,
# kind and kubectl; `kind delete cluster --name fairlead` takes it away.
set -eu
cd "$(dirname "$0")/.."

for tool in docker kind kubectl; do
	command -v "$tool" >/dev/null || { echo "kind/up.sh: $tool is absent" >&2; exit 1; }
done
docker info >/dev/null 2>&1 || { echo 'kind/up.sh: no Docker daemon answers' >&2; exit 1; }

image=fairlead:0.1.0
context=kind-fairlead

docker build --tag "$image" --file kind/Dockerfile .
kind get clusters | grep -qx fairlead || kind create cluster --config kind/cluster.yaml
kind load docker-image --name fairlead "$image"
for node in $(kind get nodes --name fairlead); do
	docker exec "$node" sh -c \
		'grep -q " /sys/fs/bpf bpf " /proc/mounts || mount -t bpf bpf /sys/fs/bpf'
done
docker run --rm "$image" install --print --profile kind |
	kubectl --context "$context" apply --server-side -f -
kubectl --context "$context" -n fairlead-system rollout status --timeout=5m \
	daemonset/fairlead-agent deployment/fairlead-controller
