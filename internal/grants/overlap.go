// SPDX-License-Identifier: Apache-2.0

package grants

const wordBits = 64

// Places are places between and beside the characters of a glob, one bit each.
type places []uint64

func (p places) add(i int)      { p[i/wordBits] |= 1 << (i % wordBits) }
func (p places) has(i int) bool { return p[i/wordBits]&(1<<(i%wordBits)) != 0 }

// fill adds all places behind the first.
func (p places) fill() {
	found := false
	for w := range p {
		switch {
		case found:
			p[w] = ^uint64(0)
		case p[w] != 0:
			p[w] |= -p[w]
			found = true
		}
	}
}

// step moves on from the places at which a character is one of leads, and
// stays at those at which it is an anyText, which may stand for nothing as well.
func (p places) step(leads, texts places) {
	var moved, skipped uint64 // From the word before.
	for w := range p {
		lead := p[w] & leads[w]
		p[w] = p[w]&texts[w] | lead<<1 | moved
		moved = lead >> (wordBits - 1)
		skip := p[w] & texts[w] // No two follow one another.
		p[w] |= skip<<1 | skipped
		skipped = skip >> (wordBits - 1)
	}
}

// overlaps keeps, while it goes through the one, all places of the other that some
// text leads to which matches both so far.
func (g glob) overlaps(other glob) bool {
	n := len(other)/wordBits + 1
	texts, chars, leads := make(places, n), make(places, n), make(map[rune]places)
	of := func(c rune) places {
		if leads[c] == nil {
			leads[c] = make(places, n)
			for i, o := range other {
				if o == c || o == anyChar {
					leads[c].add(i)
				}
			}
		}
		return leads[c]
	}
	for i, o := range other {
		if o == anyText {
			texts.add(i)
		} else {
			chars.add(i)
		}
	}
	here := make(places, n)
	here.add(0)
	if texts.has(0) {
		here.add(1)
	}
	for _, c := range g {
		switch c {
		case anyText:
			here.fill()
		case anyChar:
			here.step(chars, texts)
		default:
			here.step(of(c), texts)
		}
	}
	return here.has(len(other))
}
