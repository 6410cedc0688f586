package elbv2

import (
	"net/url"
	"slices"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

type oidcConfig struct {
	Issuer                           string
	AuthorizationEndpoint            string
	TokenEndpoint                    string
	UserInfoEndpoint                 string
	ClientID                         string      `xml:"ClientId"`
	secret                           string      // never returned
	SessionCookieName                string      `xml:",omitempty"`
	SessionTimeout                   int         `xml:",omitempty"`
	Scope                            string      `xml:",omitempty"`
	AuthenticationRequestExtraParams *extraPairs `xml:",omitempty"`
	OnUnauthenticatedRequest         string      `xml:",omitempty"`
}

type cognitoConfig struct {
	UserPoolArn                      string
	UserPoolClientID                 string `xml:"UserPoolClientId"`
	UserPoolDomain                   string
	SessionCookieName                string      `xml:",omitempty"`
	SessionTimeout                   int         `xml:",omitempty"`
	Scope                            string      `xml:",omitempty"`
	AuthenticationRequestExtraParams *extraPairs `xml:",omitempty"`
	OnUnauthenticatedRequest         string      `xml:",omitempty"`
}

type jwtConfig struct {
	JwksEndpoint     string
	Issuer           string
	AdditionalClaims *wire.List[jwtClaim] `xml:",omitempty"`
}

type jwtClaim struct {
	Format string
	Name   string
	Values wire.List[string]
}

type extraPairs struct {
	Entries []wire.Pair `xml:"entry"`
}

// session holds the settings that both kinds of authentication share, with the defaults of AWS.
type session struct {
	cookie, scope, onUnauthenticated string
	timeout                          int
	extra                            *extraPairs
}

// authenticate parses the actions that can precede a routing action.
func (ar actionReader) authenticate(p wire.Params, a *action) error {
	if ar.protocol != "HTTPS" {
		return wire.BadRequest("InvalidLoadBalancerAction", "Actions of type '%s' are supported only on HTTPS listeners", a.Type)
	}
	var err error
	switch a.Type {
	case oidcType:
		a.AuthenticateOidcConfig, err = ar.readOIDC(p)
	case cognitoType:
		a.AuthenticateCognitoConfig, err = readCognito(p)
	case jwtType:
		a.JwtValidationConfig, err = readJWT(p)
	}
	return err
}

func (ar actionReader) readOIDC(p wire.Params) (*oidcConfig, error) {
	c, _ := p.Structure("AuthenticateOidcConfig")
	if err := c.Require("Issuer", "AuthorizationEndpoint", "TokenEndpoint", "UserInfoEndpoint", "ClientId"); err != nil {
		return nil, err
	}
	s, err := readSession(c)
	if err != nil {
		return nil, err
	}
	o := &oidcConfig{
		Issuer: c.Text("Issuer"), AuthorizationEndpoint: c.Text("AuthorizationEndpoint"), TokenEndpoint: c.Text("TokenEndpoint"),
		UserInfoEndpoint: c.Text("UserInfoEndpoint"), ClientID: c.Text("ClientId"),
		SessionCookieName: s.cookie, SessionTimeout: s.timeout, Scope: s.scope,
		AuthenticationRequestExtraParams: s.extra, OnUnauthenticatedRequest: s.onUnauthenticated,
	}
	for _, endpoint := range []string{o.Issuer, o.AuthorizationEndpoint, o.TokenEndpoint, o.UserInfoEndpoint} {
		if u, err := url.Parse(endpoint); err != nil || u.Scheme != "https" || u.Host == "" {
			return nil, wire.ValidationError("'%s' must be a full URL with the HTTPS protocol", endpoint)
		}
	}
	o.secret, err = ar.secret(c, o.Issuer, o.ClientID)
	return o, err
}

// secret returns the new client secret or, with UseExistingClientSecret, the one of the replaced action. Like
// AWS, it rejects a call with both, and one without either, because Describe calls never return the secret. An action
// that is created replaces none, so it needs a secret.
func (ar actionReader) secret(c wire.Params, issuer, client string) (string, error) {
	useExisting, err := c.Flag("UseExistingClientSecret")
	if err != nil {
		return "", err
	}
	given := c.Text("ClientSecret")
	switch {
	case useExisting != nil && *useExisting && given != "":
		return "", badSecret("You cannot both specify a client secret and set UseExistingClientSecret to true")
	case given != "":
		return given, nil
	case useExisting == nil || !*useExisting:
		return "", badSecret("You must specify a client secret unless UseExistingClientSecret is true")
	}
	at := slices.IndexFunc(ar.replaced, func(a action) bool {
		o := a.AuthenticateOidcConfig
		return o != nil && o.Issuer == issuer && o.ClientID == client
	})
	if at < 0 {
		return "", badSecret("UseExistingClientSecret is true, but there is no existing client secret for issuer '%s' and client '%s'", issuer, client)
	}
	return ar.replaced[at].AuthenticateOidcConfig.secret, nil
}

func badSecret(format string, args ...any) error {
	return wire.BadRequest("InvalidLoadBalancerAction", format, args...)
}

func readCognito(p wire.Params) (*cognitoConfig, error) {
	c, _ := p.Structure("AuthenticateCognitoConfig")
	if err := c.Require("UserPoolArn", "UserPoolClientId", "UserPoolDomain"); err != nil {
		return nil, err
	}
	s, err := readSession(c)
	if err != nil {
		return nil, err
	}
	return &cognitoConfig{
		UserPoolArn: c.Text("UserPoolArn"), UserPoolClientID: c.Text("UserPoolClientId"), UserPoolDomain: c.Text("UserPoolDomain"),
		SessionCookieName: s.cookie, SessionTimeout: s.timeout, Scope: s.scope,
		AuthenticationRequestExtraParams: s.extra, OnUnauthenticatedRequest: s.onUnauthenticated,
	}, nil
}

func readSession(c wire.Params) (session, error) {
	onUnauthenticated, err := c.OneOf("OnUnauthenticatedRequest", "deny", "allow", "authenticate")
	if err != nil {
		return session{}, err
	}
	timeout, err := c.Number("SessionTimeout", 1, 604800)
	if err != nil {
		return session{}, err
	}
	s := session{cookie: textOr(c, "SessionCookieName", "AWSELBAuthSessionCookie"), scope: textOr(c, "Scope", "openid"), onUnauthenticated: "authenticate", timeout: 604800}
	if onUnauthenticated != "" {
		s.onUnauthenticated = onUnauthenticated
	}
	if timeout != nil {
		s.timeout = *timeout
	}
	if extra := c.Pairs("AuthenticationRequestExtraParams"); len(extra) > 10 {
		return session{}, wire.ValidationError("You can specify up to 10 extra parameters for the authentication request")
	} else if len(extra) > 0 {
		s.extra = &extraPairs{Entries: extra}
	}
	return s, nil
}

func readJWT(p wire.Params) (*jwtConfig, error) {
	c, _ := p.Structure("JwtValidationConfig")
	if err := c.Require("JwksEndpoint", "Issuer"); err != nil {
		return nil, err
	}
	j := &jwtConfig{JwksEndpoint: c.Text("JwksEndpoint"), Issuer: c.Text("Issuer")}
	var claims []jwtClaim
	for _, e := range c.Structs("AdditionalClaims") {
		if err := e.Require("Format", "Name", "Values"); err != nil {
			return nil, err
		}
		format, err := e.OneOf("Format", "single-string", "string-array", "space-separated-values")
		if err != nil {
			return nil, err
		}
		claims = append(claims, jwtClaim{Format: format, Name: e.Text("Name"), Values: wire.List[string]{Members: e.List("Values")}})
	}
	j.AdditionalClaims = wire.ListOf(claims)
	return j, nil
}
