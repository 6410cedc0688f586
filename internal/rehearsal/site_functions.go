package rehearsal

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// FunctionVersion is a published version of a function, which runs as one machine.
type FunctionVersion struct {
	Function    string
	Environment string // which environment it is for: each has a version of its own
	Fleet       Fleet  // one machine, with its terms and boot time
}

func (v FunctionVersion) name() string { return v.Function + "-" + v.Environment }

// versionRecord is a published version.
type versionRecord struct {
	Release  string    `json:"release"`
	Version  string    `json:"version"` // its number
	Machines []machine `json:"machines"`
}

// aliasRecord is an alias.
type aliasRecord struct {
	ARN string `json:"arn"`
	URL string `json:"url"`
}

// The kinds of records of functions.
const (
	kindVersion = "version"
	kindAlias   = "alias"
)

// Functions is what a Site has in Lambda.
type Functions struct {
	site   *Site
	client *lambda.Client
}

// FunctionsOf returns the functions of a site.
func FunctionsOf(s *Site) Functions {
	return Functions{s, lambda.New(lambda.Options{
		Region: Region, BaseEndpoint: aws.String(s.endpoint), Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})}
}

// PublishVersion starts a machine with a version and publishes a version of the function that runs there, like
// aws_lambda_function with publish. It creates the function if there is none. A release that is published already stays.
func (f Functions) PublishVersion(ctx context.Context, v FunctionVersion) error {
	var old versionRecord
	found, err := f.site.load(kindVersion, v.name(), &old)
	if err != nil || found && old.Release == v.Fleet.Terms.Version {
		return err
	}
	r := versionRecord{Release: v.Fleet.Terms.Version}
	if r.Machines, err = f.site.boot(v.Fleet); err != nil {
		return err
	}
	if r.Version, err = f.publish(ctx, v.Function, "http://"+r.Machines[0].address()+"/"); err != nil {
		return errors.Join(fmt.Errorf("cannot publish version %s of function %s: %w", r.Release, v.Function, err), endAll(ctx, r.Machines))
	}
	return errors.Join(f.site.save(kindVersion, v.name(), r), f.site.note("version %s of function %s published, release %s", r.Version, v.Function, r.Release))
}

// publish publishes a version that runs at a URL. Another command may change the function at the same time, so that what
// was changed and what is published have the same revision.
func (f Functions) publish(ctx context.Context, function, url string) (number string, err error) {
	settings := &types.Environment{Variables: map[string]string{"LOCALAWS_HANDLER": url}}
	_, err = f.client.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: &function, Role: aws.String("arn:aws:iam::123456789012:role/" + function), Code: &types.FunctionCode{ZipFile: []byte(function)},
		Runtime: types.RuntimeProvidedal2023, Handler: aws.String("bootstrap"), Environment: settings,
	})
	var exists *types.ResourceConflictException
	if err != nil && !errors.As(err, &exists) {
		return "", err
	}
	for {
		changed, err := f.client.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &function, Environment: settings})
		if err != nil {
			return "", err
		}
		published, err := f.client.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: &function, RevisionId: changed.RevisionId})
		if err == nil {
			return aws.ToString(published.Version), nil
		}
		var other *types.PreconditionFailedException
		if !errors.As(err, &other) {
			return "", err
		}
	}
}

// DeleteVersion deletes a version that no alias has, and ends its machine. Where another release is published, it has been
// replaced, and nothing is done.
func (f Functions) DeleteVersion(ctx context.Context, v FunctionVersion) error {
	var r versionRecord
	found, err := f.site.load(kindVersion, v.name(), &r)
	if err != nil || !found || r.Release != v.Fleet.Terms.Version {
		return err
	}
	_, err = f.client.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &v.Function, Qualifier: &r.Version})
	var gone *types.ResourceNotFoundException
	if err != nil && !errors.As(err, &gone) {
		return fmt.Errorf("cannot delete version %s of function %s: %w", r.Version, v.Function, err)
	}
	for _, m := range r.Machines {
		if err := m.retire(ctx); err != nil {
			return err
		}
	}
	return f.site.forget(kindVersion, v.name())
}

// CreateAlias creates an alias that sends all invocations to the version of an environment, like aws_lambda_alias with
// ignore_changes.
func (f Functions) CreateAlias(ctx context.Context, v FunctionVersion, alias string) error {
	var r versionRecord
	if found, err := f.site.load(kindVersion, v.name(), &r); err != nil || !found {
		return errors.Join(err, fmt.Errorf("function %s has no version for environment %s", v.Function, v.Environment))
	}
	created, err := f.client.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: &v.Function, Name: &alias, FunctionVersion: &r.Version})
	if err != nil {
		return fmt.Errorf("cannot create alias %s of function %s: %w", alias, v.Function, err)
	}
	a := aliasRecord{ARN: aws.ToString(created.AliasArn)}
	a.URL = f.site.Management + "/invoke/" + a.ARN
	return errors.Join(f.site.save(kindAlias, v.Function+"-"+alias, a), f.site.note("alias %s of function %s created", alias, v.Function))
}

// DeleteAlias deletes an alias.
func (f Functions) DeleteAlias(ctx context.Context, function, alias string) error {
	var a aliasRecord
	if found, err := f.site.load(kindAlias, function+"-"+alias, &a); err != nil || !found {
		return err
	}
	if _, err := f.client.DeleteAlias(ctx, &lambda.DeleteAliasInput{FunctionName: &function, Name: &alias}); err != nil {
		return fmt.Errorf("cannot delete alias %s of function %s: %w", alias, function, err)
	}
	return f.site.forget(kindAlias, function+"-"+alias)
}
