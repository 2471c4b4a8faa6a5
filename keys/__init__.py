"""Says which key signed which bytes: algorithms, public keys, compact JWS and the custody of private keys.

Knows no jurisdiction, database, network or clock. Every refusal is a `keys.errors.KeysError`.
"""
