// Command hostile is a tenant that means harm. From one tenant's addresses it calls every RPC that
// the descriptors of the real protocols have, and every path of PD's HTTP API, with everything of
// its neighbours' that it can name; it reads every answer for what only they can know.
//
//	hostile plant SCENE        gives the victims things to lose
//	hostile dump SCENE FILE    writes down what PD keeps, by owner
//	hostile attack SCENE       attacks, counts, and fails if anything leaked
//	hostile aftermath SCENE    lets the victims use what is theirs
//
// What must stay true: what is sent depends on the scene's seed alone; a leak is decided by what
// was planted, not by the shape of an answer, so an answer of any kind is searched.
package main

import (
	"errors"
	"fmt"
	"os"

	"completeness"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: hostile plant|dump|attack|aftermath SCENE [FILE]")
	}
	scene, err := readScene(args[1])
	if err != nil {
		return err
	}
	switch args[0] {
	case "plant":
		if err = plant(scene); err != nil {
			return err
		}
		return scene.write(args[1])
	case "dump":
		if len(args) != 3 {
			return errors.New("dump needs a file")
		}
		return dump(scene, args[2])
	case "attack":
		return attack(scene)
	case "aftermath":
		return aftermath(scene)
	default:
		return fmt.Errorf("no such command: %s", args[0])
	}
}

func attack(scene *Scene) error {
	real, err := completeness.Real()
	if err != nil {
		return err
	}
	attacker, err := newAttacker(scene, real)
	if err != nil {
		return err
	}
	attacker.run()
	if err = attacker.boundsAreOwn(); err != nil {
		return err
	}
	if !attacker.report.print(os.Stdout) {
		return errors.New("something of others was revealed")
	}
	return nil
}
