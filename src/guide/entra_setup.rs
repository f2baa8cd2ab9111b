//! Entra set-up: from nothing to the first 200, with the Azure CLI.
//!
//! You need a tenant in which you may register applications, the
//! [Azure CLI](https://learn.microsoft.com/cli/azure/install-azure-cli), a POSIX shell and `uuidgen`. The
//! addresses are those of the public cloud.
//!
//! # Which id is which
//!
//! | id | where it is | who wants it |
//! |---|---|---|
//! | tenant id | `az account show --query tenantId` | `AZURE_TENANT_ID`; `tid` of a token |
//! | client id of the API, `appId` | `az ad app show --id CLIENT_ID --query appId` | `AZURE_CLIENT_ID`; `aud` of a version 2.0 token; `az ad app` |
//! | **object id of the application** | the same with `--query id` | Microsoft Graph: `PATCH /applications/{object id}`. With the client id there, the answer is 404 |
//! | object id of the service principal | `az ad sp show --id CLIENT_ID --query id` | assignments of app roles; `oid` of an app's own token |
//! | object id of a user | `az ad signed-in-user show --query id` | `oid` of that user's tokens |
//!
//! The portal has the application under *App registrations* and its service principal under *Enterprise
//! applications*: two objects, two object ids, one client id.
//!
//! # The registration of the API
//!
//! ```sh
//! az login --allow-no-subscriptions
//! TENANT_ID=$(az account show --query tenantId --output tsv)
//!
//! CLIENT_ID=$(az ad app create --display-name orders-api --sign-in-audience AzureADMyOrg \
//!     --query appId --output tsv)
//! OBJECT_ID=$(az ad app show --id "$CLIENT_ID" --query id --output tsv)
//! # Its service principal: without one no token is issued for the API.
//! az ad sp create --id "$CLIENT_ID"
//! ```
//!
//! Now its URI, the version of its tokens, a scope for people and for agents that act for them, a role for
//! agents and apps that act as themselves, and the claims that show agents:
//!
//! ```sh
//! SCOPE_ID=$(uuidgen) ROLE_ID=$(uuidgen)
//! az rest --method PATCH --headers Content-Type=application/json \
//!     --url "https://graph.microsoft.com/v1.0/applications/$OBJECT_ID" --body '{
//!   "identifierUris": ["api://'"$CLIENT_ID"'"],
//!   "api": {
//!     "requestedAccessTokenVersion": 2,
//!     "oauth2PermissionScopes": [{
//!       "id": "'"$SCOPE_ID"'", "value": "Orders.Read", "type": "User", "isEnabled": true,
//!       "adminConsentDisplayName": "Read orders", "adminConsentDescription": "Read orders as the user",
//!       "userConsentDisplayName": "Read your orders", "userConsentDescription": "Read your orders"
//!     }]
//!   },
//!   "appRoles": [{
//!     "id": "'"$ROLE_ID"'", "value": "Orders.Read.All", "allowedMemberTypes": ["Application"],
//!     "isEnabled": true, "displayName": "Read all orders", "description": "Read all orders"
//!   }],
//!   "optionalClaims": {"accessToken": [
//!     {"name": "xms_act_fct"}, {"name": "xms_sub_fct"}, {"name": "xms_idrel"},
//!     {"name": "xms_tnt_fct"}, {"name": "xms_par_app_azp"}, {"name": "xms_cc"},
//!     {"name": "idtyp", "additionalProperties": ["include_user_token"]}
//!   ]}
//! }'
//! ```
//!
//! For a registration that exists already, send only the members that you want to change. A list in the
//! request replaces the list that is there: `az ad app show --id "$CLIENT_ID"` shows it.
//!
//! Microsoft's catalogue of optional claims does not list the names that begin with `xms_` and end with
//! `fct`, `idrel` or `azp`, and the portal does not offer them. That they work when set in this way is an
//! observation of their users
//! ([microsoft-identity-web#3882](https://github.com/AzureAD/microsoft-identity-web/issues/3882)), not a
//! promise of Microsoft's. The example `explain` shows whether a token has them.
//!
//! # A token, and the first 200
//!
//! The Azure CLI gets a token for the API if the API pre-authorizes it. This is a request of its own,
//! because the scope has to exist before it. `04b07795-…` is the client id of the Azure CLI.
//!
//! ```sh
//! az rest --method PATCH --headers Content-Type=application/json \
//!     --url "https://graph.microsoft.com/v1.0/applications/$OBJECT_ID" --body '{
//!   "api": {"preAuthorizedApplications": [{
//!     "appId": "04b07795-8ddb-461a-bbee-02f9e1bf7b46", "delegatedPermissionIds": ["'"$SCOPE_ID"'"]
//!   }]}
//! }'
//! TOKEN=$(az account get-access-token --tenant "$TENANT_ID" --scope "api://$CLIENT_ID/.default" \
//!     --query accessToken --output tsv)
//! ```
//!
//! In its directory, start the [first program](crate#quick-start), and call it once it is running:
//!
//! ```sh
//! AZURE_TENANT_ID=$TENANT_ID AZURE_CLIENT_ID=$CLIENT_ID cargo run &
//! ```
//!
//! ```sh
//! curl -i http://127.0.0.1:8080/ -H "Authorization: Bearer $TOKEN"   # 200: hello, user of tenant …
//! ```
//!
//! If it is not 200, the log of the program says why and what to change. In a checkout of the repository,
//! so does
//!
//! ```sh
//! echo "$TOKEN" | AZURE_TENANT_ID=$TENANT_ID EXPECTED_AUDIENCE=$CLIENT_ID cargo run --example explain
//! ```
//!
//! A production tenant needs no pre-authorized Azure CLI: remove it by the same request with an empty list.
//!
//! # A caller that acts as itself
//!
//! An ordinary app, with the role that the API has just defined:
//!
//! ```sh
//! CALLER_ID=$(az ad app create --display-name orders-job --query appId --output tsv)
//! az ad sp create --id "$CALLER_ID"
//! API_SP=$(az ad sp show --id "$CLIENT_ID" --query id --output tsv)
//! CALLER_SP=$(az ad sp show --id "$CALLER_ID" --query id --output tsv)
//! az rest --method POST --headers Content-Type=application/json \
//!     --url "https://graph.microsoft.com/v1.0/servicePrincipals/$API_SP/appRoleAssignedTo" --body '{
//!   "principalId": "'"$CALLER_SP"'", "resourceId": "'"$API_SP"'", "appRoleId": "'"$ROLE_ID"'"
//! }'
//! SECRET=$(az ad app credential reset --id "$CALLER_ID" --query password --output tsv)
//! curl "https://login.microsoftonline.com/$TENANT_ID/oauth2/v2.0/token" \
//!     --data grant_type=client_credentials --data "client_id=$CALLER_ID" \
//!     --data-urlencode "client_secret=$SECRET" --data-urlencode "scope=api://$CLIENT_ID/.default"
//! ```
//!
//! Without the assignment the token grants nothing, and [check 13](crate::Validator) refuses it.
//!
//! An agent identity is assigned the role in the same way, with the object id of its service principal as
//! `principalId`. Its tokens come from its blueprint's credential in
//! [two requests](https://learn.microsoft.com/entra/agent-id/identity-platform/agent-autonomous-app-oauth-flow),
//! which the module `acquire` of this crate, an SDK of Microsoft's, or its sidecar makes for it.
//!
//! # What goes wrong
//!
//! | symptom | cause | cure |
//! |---|---|---|
//! | AADSTS65001 for the Azure CLI | the API does not pre-authorize it | the request above |
//! | AADSTS500011 | no service principal in this tenant has this URI | `az ad sp create`, and `identifierUris` as above; a change of `requestedAccessTokenVersion` from 2 to 1 has been seen to empty it |
//! | AADSTS1002012 | an app asked for a single scope | ask for `api://…/.default` |
//! | 404 from `PATCH /applications/…` | the client id in place of the object id | `az ad app show --query id` |
//! | 401 with `audience_mismatch` in the log | a token for something else, or another audience in the configuration | `ClientId` alone accepts [both forms](crate::Audiences::client_id) |
//! | 403 and `unattested` | the claims are not requested, or the token is older than the request for them | `optionalClaims` above; then a new token: the Azure CLI keeps one until it expires, or until `az account clear` |
//! | a role is missing from the token of a managed identity | its tokens are kept for up to 24 h | wait |
