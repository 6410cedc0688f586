package localalb

import (
	"net/url"
	"slices"
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
	AdditionalClaims *list[jwtClaim] `xml:",omitempty"`
}

type jwtClaim struct {
	Format string
	Name   string
	Values list[string]
}

type extraPairs struct {
	Entries []pair `xml:"entry"`
}

// session holds the settings that both kinds of authentication share, with the defaults of AWS.
type session struct {
	cookie, scope, onUnauthenticated string
	timeout                          int
	extra                            *extraPairs
}

// authenticate parses the actions that can precede a routing action.
func (ar actionReader) authenticate(p params, a *action) error {
	if ar.protocol != "HTTPS" {
		return badRequest("InvalidLoadBalancerAction", "Actions of type '%s' are supported only on HTTPS listeners", a.Type)
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

func (ar actionReader) readOIDC(p params) (*oidcConfig, error) {
	c, _ := p.structure("AuthenticateOidcConfig")
	if err := c.require("Issuer", "AuthorizationEndpoint", "TokenEndpoint", "UserInfoEndpoint", "ClientId"); err != nil {
		return nil, err
	}
	s, err := readSession(c)
	if err != nil {
		return nil, err
	}
	o := &oidcConfig{
		Issuer: c.text("Issuer"), AuthorizationEndpoint: c.text("AuthorizationEndpoint"), TokenEndpoint: c.text("TokenEndpoint"),
		UserInfoEndpoint: c.text("UserInfoEndpoint"), ClientID: c.text("ClientId"),
		SessionCookieName: s.cookie, SessionTimeout: s.timeout, Scope: s.scope,
		AuthenticationRequestExtraParams: s.extra, OnUnauthenticatedRequest: s.onUnauthenticated,
	}
	for _, endpoint := range []string{o.Issuer, o.AuthorizationEndpoint, o.TokenEndpoint, o.UserInfoEndpoint} {
		if u, err := url.Parse(endpoint); err != nil || u.Scheme != "https" || u.Host == "" {
			return nil, validationError("'%s' must be a full URL with the HTTPS protocol", endpoint)
		}
	}
	o.secret, err = ar.secret(c, o.Issuer, o.ClientID)
	return o, err
}

// secret returns the new client secret or, with UseExistingClientSecret, the one of the replaced action. Like
// AWS, it rejects a call without either, because Describe calls never return the secret.
func (ar actionReader) secret(c params, issuer, client string) (string, error) {
	useExisting, err := c.flag("UseExistingClientSecret")
	if err != nil {
		return "", err
	}
	given := c.text("ClientSecret")
	switch {
	case useExisting != nil && *useExisting && given != "":
		return "", validationError("You cannot specify both ClientSecret and UseExistingClientSecret")
	case given != "":
		return given, nil
	case useExisting == nil || !*useExisting:
		return "", validationError("ClientSecret must be specified unless UseExistingClientSecret is true")
	}
	at := slices.IndexFunc(ar.replaced, func(a action) bool {
		o := a.AuthenticateOidcConfig
		return o != nil && o.Issuer == issuer && o.ClientID == client
	})
	if at < 0 {
		return "", validationError("UseExistingClientSecret is true, but there is no existing client secret for issuer '%s' and client '%s'", issuer, client)
	}
	return ar.replaced[at].AuthenticateOidcConfig.secret, nil
}

func readCognito(p params) (*cognitoConfig, error) {
	c, _ := p.structure("AuthenticateCognitoConfig")
	if err := c.require("UserPoolArn", "UserPoolClientId", "UserPoolDomain"); err != nil {
		return nil, err
	}
	s, err := readSession(c)
	if err != nil {
		return nil, err
	}
	return &cognitoConfig{
		UserPoolArn: c.text("UserPoolArn"), UserPoolClientID: c.text("UserPoolClientId"), UserPoolDomain: c.text("UserPoolDomain"),
		SessionCookieName: s.cookie, SessionTimeout: s.timeout, Scope: s.scope,
		AuthenticationRequestExtraParams: s.extra, OnUnauthenticatedRequest: s.onUnauthenticated,
	}, nil
}

func readSession(c params) (session, error) {
	onUnauthenticated, err := c.oneOf("OnUnauthenticatedRequest", "deny", "allow", "authenticate")
	if err != nil {
		return session{}, err
	}
	timeout, err := c.number("SessionTimeout", 1, 604800)
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
	if extra := c.pairs("AuthenticationRequestExtraParams"); len(extra) > 10 {
		return session{}, validationError("You can specify up to 10 extra parameters for the authentication request")
	} else if len(extra) > 0 {
		s.extra = &extraPairs{Entries: extra}
	}
	return s, nil
}

func readJWT(p params) (*jwtConfig, error) {
	c, _ := p.structure("JwtValidationConfig")
	if err := c.require("JwksEndpoint", "Issuer"); err != nil {
		return nil, err
	}
	j := &jwtConfig{JwksEndpoint: c.text("JwksEndpoint"), Issuer: c.text("Issuer")}
	var claims []jwtClaim
	for _, e := range c.structs("AdditionalClaims") {
		if err := e.require("Format", "Name", "Values"); err != nil {
			return nil, err
		}
		format, err := e.oneOf("Format", "single-string", "string-array", "space-separated-values")
		if err != nil {
			return nil, err
		}
		claims = append(claims, jwtClaim{Format: format, Name: e.text("Name"), Values: list[string]{e.list("Values")}})
	}
	j.AdditionalClaims = listOf(claims)
	return j, nil
}
