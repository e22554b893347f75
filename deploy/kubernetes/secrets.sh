#!/bin/sh
# Creates the secrets of deploy/kubernetes in the cluster, once: keys that it draws, and your database's address.
#
#   deploy/kubernetes/secrets.sh 'postgresql://palio:PASSWORD@db.example.org/palio?sslmode=verify-full'
#
# The builder's and the controllers' certificates are valid for ten years and signed by an authority that is not kept.
set -eu
: "${1:?name the database: secrets.sh postgresql://...}"
case $1 in postgresql://*) ;; *) echo "secrets.sh: not the address of a PostgreSQL database: $1" >&2; exit 2 ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 077
cd "$work"

for namespace in palio palio-build; do
  kubectl get namespace "$namespace" >/dev/null 2>&1 || kubectl create namespace "$namespace"
done
printf %s "$1" > database-url
openssl rand -hex 48 | tr -d '\n' > secret
openssl rand -hex 32 | tr -d '\n' > metrics-token
kubectl -n palio create secret generic palio --from-file=database-url --from-file=secret --from-file=metrics-token

openssl req -x509 -newkey rsa:3072 -nodes -days 3650 -subj /CN=palio-builder -keyout ca-key.pem -out ca.pem 2>/dev/null
sign() { # NAME EXTENSION
  openssl req -newkey rsa:3072 -nodes -subj "/CN=$1" -keyout "$1-key.pem" -out "$1.csr" 2>/dev/null
  printf '%s\n' "$2" > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 3650 -extfile "$1.ext" \
    -out "$1.pem" 2>/dev/null
}
sign builder 'subjectAltName=DNS:builder.palio-build.svc
extendedKeyUsage=serverAuth'
sign controller 'extendedKeyUsage=clientAuth'
kubectl -n palio-build create secret generic palio-builder \
  --from-file=ca.crt=ca.pem --from-file=tls.crt=builder.pem --from-file=tls.key=builder-key.pem
kubectl -n palio create secret generic palio-builder-client \
  --from-file=ca.pem --from-file=cert.pem=controller.pem --from-file=key.pem=controller-key.pem
