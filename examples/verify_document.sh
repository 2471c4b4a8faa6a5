#!/bin/sh
# 用 openssl 签署文件，再核验签名 · Sign a document with openssl, and have the signature judged. openssl and curl only.
#
#     sh examples/verify_document.sh http://127.0.0.1:8000 LOCK-DIRECTORY DOCUMENT
#
# openssl 3.0 的 CMS 只用于 RSA 锁；SM2 锁用 `accord lock cms --gm`，真实平台用锁的中间件。
# openssl 3.0 writes CMS with RSA locks only. With SM2 locks `accord lock cms --gm` does; a platform has the lock's own
# middleware.
set -eu
service=$1 lock=$2 document=$3
jurisdiction=CN-SC purpose=bidding.sign platform=测试交易平台
encoded=%E6%B5%8B%E8%AF%95%E4%BA%A4%E6%98%93%E5%B9%B3%E5%8F%B0 # 平台名的百分号编码 · the platform's name in an address

sign() { # sign <more options>: 输出已签名的报文 · prints the signed message
  openssl cms -sign -cades -binary -md sha256 -outform DER -in "$document" "$@" \
    -signer "$lock/signing.pem" -inkey "$lock/lock.key" -passin "file:$lock/passphrase" -certfile "$lock/chain.pem"
}

ask() { # ask <media type> <address> <file>: 提交标准输入，答复存入文件 · posts standard input; the answer goes to a file
  curl -sS --fail-with-body -H "Content-Type: $1" --data-binary @- -o "$3" "$2" || {
    cat "$3" >&2 # 4xx：问题本身有误，答复说明原因 · the question itself is wrong, and the answer says why
    exit 1
  }
}

report() { # 显示决定；真实平台用 JSON 库 · shows the decision; a real platform reads JSON with the library that it has
  echo "$(sed 's/^{"decision":"\([a-z_]*\)","label":"\([^"]*\)".*/\1 \2/' "$1")"
}

# 一、报文即请求体，原文在内 · The message is the body, with the document inside.
sign -nodetach |
  ask application/cms "$service/v1/ca/signatures?jurisdiction=$jurisdiction&purpose=$purpose&relying_party=$encoded" \
    attached.json
report attached.json

# 二、JSON：只交签名与摘要，原文不外传；须有一个单位签名 · As JSON: the signature and a digest, the document stays in
# the house; one company must have signed.
{
  printf '{"signature_format": "cms", "signature": "%s", ' "$(sign | openssl base64 -A)"
  printf '"digest_kind": "sha256", "digest": "%s", ' "$(openssl dgst -sha256 -binary "$document" | openssl base64 -A)"
  printf '"jurisdiction": "%s", "purpose": "%s", "relying_party": "%s", ' "$jurisdiction" "$purpose" "$platform"
  printf '"requirement": {"unit": 1}}'
} | ask application/json "$service/v1/ca/signatures" detached.json
report detached.json

# 凭证是日后的凭据，应与文件一并保存 · The receipt is the proof of a year later: keep it with the document.
sed 's/.*"receipt":"\([^"]*\)".*/\1/' detached.json >document-receipt.jws
grep -q '^{"decision":"recognized"' detached.json
