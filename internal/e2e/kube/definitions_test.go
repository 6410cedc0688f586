//go:build linux

package kube

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// installDefinitions creates the custom resource definitions, and waits until the API server serves them.
func (c *cluster) installDefinitions(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, slow.Deadline(time.Minute))
	defer cancel()
	files, err := filepath.Glob(filepath.Join(c.parts, "definitions", "*.yaml"))
	if err != nil || len(files) == 0 {
		return errors.Join(err, errors.New("there are no custom resource definitions in "+c.parts))
	}
	var installed []object
	for _, file := range files {
		all, err := readDefinitions(file)
		if err != nil {
			return err
		}
		for _, o := range all {
			serveOld(o)
			if err := c.createIn(ctx, o); err != nil {
				return err
			}
			installed = append(installed, o)
		}
	}
	for _, o := range installed {
		if err := c.untilServed(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// serveOld serves the versions of TCPRoute and TLSRoute that the standard channel of Gateway API 1.6 defines and does not
// serve, as its experimental channel does: Traefik 3.6 reads no others.
func serveOld(definition object) {
	switch part(part(definition, "spec"), "names")["kind"] {
	case "TCPRoute", "TLSRoute":
		for _, version := range elements(part(definition, "spec"), "versions") {
			if version["name"] == "v1alpha2" {
				version["served"] = true
			}
		}
	}
}

// readDefinitions returns the definitions in a file, and nothing else of it.
func readDefinitions(file string) ([]object, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all []object
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), len(text))
	for {
		var o object
		err := documents.Decode(&o)
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		case o["kind"] == "CustomResourceDefinition":
			all = append(all, o)
		}
	}
}

// untilServed waits for the objects of a definition to be listed.
func (c *cluster) untilServed(ctx context.Context, definition object) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		found, err := c.at(definition).Get(ctx, (&unstructured.Unstructured{Object: definition}).GetName(), metav1.GetOptions{})
		if err != nil {
			return err
		}
		conditions, _, _ := unstructured.NestedSlice(found.Object, "status", "conditions")
		for _, x := range conditions {
			if one, _ := x.(object); one["type"] == "Established" && one["status"] == "True" {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
