"""A second provider: Authlib's authorization server, with joserfc as the judge of what is signed.

Says in one line of JSON where it listens, and ends when its standard input does. Its clients come in $CLIENTS. Whoever
comes to the authorization endpoint is ada, and agrees.
"""

import base64
import hashlib
import json
import logging
import os
import sys
import threading
import time

# Loopback is in the clear.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, TokenMixin, grants
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion, JWTBearerGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from flask import Flask, jsonify, request
from joserfc import jwk, jws, jwt
from joserfc.errors import JoseError
from werkzeug.serving import make_server

ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA", "HS256"]
ASSERTION = JWTBearerClientAssertion.CLIENT_AUTH_METHOD
METHODS = ["client_secret_basic", "client_secret_post", "none", ASSERTION]
SKEW_S = 60


class Client(ClientMixin):
    def __init__(self, told):
        self.client_id = told["id"]
        self.secret = told.get("secret")
        self.method = told["method"]
        self.jwk = told.get("jwk")

    def key(self):
        return jwk.import_key(self.jwk) if self.jwk else jwk.OctKey.import_key(self.secret)

    def get_client_id(self):
        return self.client_id

    def get_default_redirect_uri(self):
        return None

    def get_allowed_scope(self, scope):
        return scope or ""

    def check_redirect_uri(self, uri):
        return uri.startswith("http://127.0.0.1:")

    def check_client_secret(self, secret):
        return self.secret is not None and self.secret == secret

    def check_endpoint_auth_method(self, method, endpoint):
        return method == self.method

    def check_response_type(self, response_type):
        return response_type == "code"

    def check_grant_type(self, grant_type):
        return True


class Code(AuthorizationCodeMixin):
    def __init__(self, code, asked):
        self.code = code
        self.client_id = asked.client.client_id
        self.redirect_uri = asked.payload.redirect_uri
        self.scope = asked.payload.scope
        self.user = asked.user
        self.code_challenge = asked.payload.data["code_challenge"]
        self.code_challenge_method = asked.payload.data["code_challenge_method"]

    def get_redirect_uri(self):
        return self.redirect_uri

    def get_scope(self):
        return self.scope


class Token(TokenMixin):
    def __init__(self, told, client, user):
        self.told, self.client, self.user = told, client, user
        self.ends_at = time.time() + told["expires_in"]
        self.revoked = self.rotated = False

    def check_client(self, client):
        return client.client_id == self.client.client_id

    def get_scope(self):
        return self.told.get("scope", "")

    def get_expires_in(self):
        return self.told["expires_in"]

    def is_expired(self):
        return self.ends_at < time.time()

    def is_revoked(self):
        return self.revoked

    def get_user(self):
        return self.user

    def get_client(self):
        return self.client


CLIENTS = {told["id"]: Client(told) for told in json.loads(os.environ["CLIENTS"])}
CODES, TOKENS, SEEN = {}, [], set()


def audiences():
    return [ISSUER, ISSUER + "/token"]


def first_time(jti):
    is_new = jti not in SEEN
    SEEN.add(jti)
    return is_new


class Assertion(JWTBearerClientAssertion):
    def get_audiences(self):
        return audiences()

    def validate_jti(self, claims, jti):
        return first_time(jti)

    def resolve_client_public_key(self, client):
        return client.key()

    def process_assertion_claims(self, assertion, key):
        # joserfc takes PS256 and EdDSA from whoever names them.
        claims = jwt.decode(assertion, key, algorithms=ALGORITHMS).claims
        self.verify_claims(claims)
        return claims


class Bearer(JWTBearerGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def get_audiences(self):
        return audiences()

    def resolve_issuer_client(self, issuer):
        return CLIENTS.get(issuer)

    def resolve_client_public_key(self, client):
        return client.key()

    def process_assertion_claims(self, assertion):
        client = self.resolve_issuer_client(self.extract_assertion(assertion)[1]["iss"])
        claims = jwt.decode(assertion, client.key(), algorithms=ALGORITHMS).claims
        self.verify_claims(claims)
        return claims

    def authenticate_user(self, subject):
        return subject

    def has_granted_permission(self, client, user):
        return user == "ada"


class CodeGrant(grants.AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def save_authorization_code(self, code, asked):
        CODES[code] = Code(code, asked)

    def query_authorization_code(self, code, client):
        found = CODES.get(code)
        return found if found and found.client_id == client.client_id else None

    def delete_authorization_code(self, code):
        del CODES[code.code]

    def authenticate_user(self, code):
        return code.user


class RefreshGrant(grants.RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, text):
        return find("refresh_token", text, lambda token: not token.rotated)

    def authenticate_user(self, token):
        return token.user

    def revoke_old_credential(self, token):
        token.rotated = True


class Machine(grants.ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS


class Revocation(RevocationEndpoint):
    CLIENT_AUTH_METHODS = METHODS

    def query_token(self, text, hint):
        return find("refresh_token", text) or find("access_token", text)

    def revoke_token(self, token, asked):
        token.revoked = True


def find(kind, text, fits=lambda token: True):
    for token in TOKENS:
        if token.told.get(kind) == text and not token.revoked and fits(token):
            return token
    return None


def save_token(told, asked):
    TOKENS.append(Token(told, asked.client, asked.user))


def proof(method, url, token=None):
    """Checks the request's proof of possession (RFC 9449 section 4.3); the thumbprint of its key."""
    text = request.headers["DPoP"]
    header = jws.extract_compact(text.encode()).headers()
    assert header["typ"] == "dpop+jwt" and "d" not in header["jwk"], header
    key = jwk.import_key(header["jwk"])
    # Its header is of this use of JWTs, and none that joserfc knows.
    registry = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    claims = jwt.decode(text, key, registry=registry).claims
    assert (claims["htm"], claims["htu"]) == (method, url), claims
    assert abs(claims["iat"] - time.time()) <= SKEW_S and first_time(claims["jti"]), claims
    if token is not None:
        digest = hashlib.sha256(token.encode()).digest()
        assert claims["ath"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), claims
    return key.thumbprint()


app = Flask(__name__)
app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
server = AuthorizationServer(app, query_client=CLIENTS.get, save_token=save_token)
server.register_client_auth_method(ASSERTION, Assertion())
server.register_grant(CodeGrant, [CodeChallenge(required=True)])
for grant in [RefreshGrant, Machine, Bearer]:
    server.register_grant(grant)
server.register_endpoint(Revocation)


@app.errorhandler(JoseError)
@app.errorhandler(AssertionError)
def not_good(error):
    return jsonify(error="invalid_client", error_description=f"what is signed: {error!r}"), 401


@app.get("/.well-known/oauth-authorization-server")
def metadata():
    return jsonify(
        issuer=ISSUER,
        authorization_endpoint=ISSUER + "/authorize",
        token_endpoint=ISSUER + "/token",
        revocation_endpoint=ISSUER + "/revoke",
        response_types_supported=["code"],
        code_challenge_methods_supported=["S256"],
        dpop_signing_alg_values_supported=["ES256"],
        token_endpoint_auth_methods_supported=[
            "client_secret_basic",
            "client_secret_post",
            "private_key_jwt",
            "client_secret_jwt",
            "none",
        ],
    )


@app.get("/authorize")
def authorize():
    grant = server.get_consent_grant(end_user="ada")
    return server.create_authorization_response(grant=grant, grant_user="ada")


@app.post("/token")
def token():
    thumbprint = proof("POST", ISSUER + "/token") if "DPoP" in request.headers else None
    response = server.create_token_response()
    if thumbprint and response.status_code == 200:
        told = {**response.get_json(), "token_type": "DPoP"}
        TOKENS[-1].told = {**told, "jkt": thumbprint}
        response.set_data(json.dumps(told))
    return response


@app.post("/revoke")
def revoke():
    return server.create_endpoint_response(Revocation.ENDPOINT_NAME)


@app.get("/me")
def me():
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    found = find("access_token", text, lambda token: not token.is_expired())
    if found is None or scheme != found.told["token_type"]:
        return jsonify(error="invalid_token"), 401
    if scheme == "DPoP":
        assert proof("GET", ISSUER + "/me", text) == found.told["jkt"]
    return jsonify(client=found.client.client_id, user=found.user, scope=found.get_scope())


logging.getLogger("werkzeug").setLevel(logging.ERROR)
listener = make_server("127.0.0.1", 0, app, threaded=True)
ISSUER = f"http://127.0.0.1:{listener.server_port}"
threading.Thread(target=listener.serve_forever, daemon=True).start()
print(json.dumps({"issuer": ISSUER}), flush=True)
sys.stdin.read()
os._exit(0)
