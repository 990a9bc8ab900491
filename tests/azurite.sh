#!/usr/bin/env bash
# The store's tests against Azurite, Microsoft's own emulator of Azure Blob Storage. Not part of the regular checks: it needs
# Node.js and npm, and takes 190 MB.
#
#   tests/azurite.sh [folder for npm's files]
#
# Google Cloud Storage has no emulator that speaks what the `object_store` crate uses; that back end is untested here.
set -euo pipefail
cd "$(dirname "$0")/.."

folder="${1:-$HOME/.cache/vico-azurite}"
port="${AZURITE_PORT:-10010}"
scratch="$(mktemp -d)"
server=""
stop() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$scratch"
}
trap stop EXIT

if [ ! -x "$folder/node_modules/.bin/azurite-blob" ]; then
    mkdir -p "$folder"
    npm install --silent --no-fund --no-audit --prefix "$folder" azurite@3.37.0
fi
"$folder/node_modules/.bin/azurite-blob" --blobHost 127.0.0.1 --blobPort "$port" --location "$scratch" \
    --skipApiVersionCheck --disableTelemetry --silent &
server=$!
for _ in $(seq 120); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
    sleep 0.5
done

# The emulator's account and key are published constants.
export AZURE_STORAGE_USE_EMULATOR=true AZURITE_BLOB_STORAGE_URL="http://127.0.0.1:$port"
python3 - "$port" <<'PYTHON'
import base64, email.utils, hashlib, hmac, sys, urllib.request
port = sys.argv[1]
key = base64.b64decode("Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==")
date = email.utils.formatdate(usegmt=True)
account = "devstoreaccount1"
sign = "\n".join(["PUT"] + [""] * 11 + [f"x-ms-date:{date}", "x-ms-version:2021-08-06",
                                        f"/{account}/{account}/vico", "restype:container"])
digest = base64.b64encode(hmac.new(key, sign.encode(), hashlib.sha256).digest()).decode()
request = urllib.request.Request(f"http://127.0.0.1:{port}/{account}/vico?restype=container", method="PUT", data=b"")
for name, value in {"x-ms-date": date, "x-ms-version": "2021-08-06", "Content-Length": "0", "Content-Type": "",
                    "Authorization": f"SharedKey {account}:{digest}"}.items():
    request.add_header(name, value)
print(urllib.request.urlopen(request).status, "container created")
PYTHON
VICO_TEST_BUCKET=az://vico cargo test --release --package vico --test store
