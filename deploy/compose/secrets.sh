#!/usr/bin/env bash
# Makes what compose.yaml calls secrets, where they are not made yet: an authority and its certificates, tokens of the
# three roles, and the key of the object store. usage: secrets.sh [DIRECTORY]
#
# The directory is for its owner alone. The files in it are readable, as compose mounts them as they are and the
# processes that read them run as nobody in particular.
set -euo pipefail
directory=${1:-$(dirname "$0")/../secrets}
image=${CLEARMOSAIC_IMAGE:-clearmosaic}
if [[ -e $directory ]]; then
    echo "$directory is there: remove it to make everything anew" >&2
    exit 0
fi
new=$directory.new
rm -rf "$new"
mkdir -p "$new"
chmod 700 "$new"
cd "$new"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=clearmosaic \
    -addext 'keyUsage=critical,keyCertSign,cRLSign' -keyout ca.key -out ca.crt 2>/dev/null

# usage: certificate NAME USE HOST,...
certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" \
        -keyout "$1.key" -out "$1.csr" 2>/dev/null
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 825 -out "$1.crt" \
        -extfile <(echo "basicConstraints=critical,CA:FALSE"
            echo "extendedKeyUsage=$2"
            echo "subjectAltName=DNS:${3//,/,DNS:}") 2>/dev/null
    rm "$1.csr"
}
certificate coordinator serverAuth coordinator1,coordinator2,localhost
certificate worker clientAuth worker
certificate client clientAuth client
# Members are each other's clients, and the coordinators are theirs.
certificate etcd serverAuth,clientAuth etcd1,etcd2,etcd3,localhost

# A token goes to whoever has it, its line to the coordinators.
docker run --rm "$image" token work worker >worker.token 2>tokens
docker run --rm "$image" token submit client >client.token 2>>tokens

key=$(openssl rand -hex 16)
secret=$(openssl rand -hex 32)
cat >objects <<END
endpoint: http://s3:8333
allow_http: true
region: us-east-1
access_key_id: $key
secret_access_key: $secret
END
cat >s3.json <<END
{"identities": [{"name": "clearmosaic", "credentials": [{"accessKey": "$key", "secretKey": "$secret"}],
                 "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}
END
chmod 444 ./*
chmod 400 ca.key
cd - >/dev/null
mv "$new" "$directory"
echo "$directory: keep it from others" >&2
