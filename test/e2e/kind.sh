#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the end-to-end tests on a cluster that kind makes in containers, and deletes it
# again. Run from the repository's root: make e2e-kind. KIND_IMAGE is another node image.
set -eu

folder=$(dirname "$0")
name=provider-aiven-e2e-$$
image=${KIND_IMAGE:-$(awk '$1 == "image:" {print $2}' "$folder/kind.yaml")}

kind() { go tool -modfile=cluster/tools/kind/go.mod kind "$@"; }
fail() { echo "cannot run the tests on kind: $1" >&2; exit 1; }

command -v docker >/dev/null || fail "there is no docker. make e2e does without."
out=$(docker version --format '{{.Server.Version}}' 2>&1) || fail "docker has no engine ($(echo "$out" | tail -n 1)). make e2e does without."
docker image inspect "$image" >/dev/null 2>&1 || docker pull "$image" || fail "there is no image $image, and docker cannot pull it (KIND_IMAGE names another)."
kind version >/dev/null || fail "kind cannot be built."

tmp=$(mktemp -d)
trap 'kind delete cluster --name "$name" --kubeconfig "$tmp/kubeconfig" || echo "delete the cluster $name yourself" >&2; rm -rf "$tmp"' EXIT
trap 'exit 130' HUP INT TERM
kind create cluster --name "$name" --config "$folder/kind.yaml" --image "$image" --kubeconfig "$tmp/kubeconfig" --wait 3m

for node in $(kind get nodes --name "$name"); do
	# This machine is the gateway of the network that the nodes are in.
	host=$(docker inspect --format '{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}' "$node"):5000
	docker exec "$node" mkdir -p "/etc/containerd/certs.d/$host"
	printf '[host."http://%s"]\n' "$host" | docker exec -i "$node" cp /dev/stdin "/etc/containerd/certs.d/$host/hosts.toml"
done
KUBECONFIG=$tmp/kubeconfig E2E_HOST=$host ${MAKE:-make} e2e
