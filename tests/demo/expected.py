"""The members of every sample audience, as SQL over the tables of the oracle; written from the descriptions."""

from __future__ import annotations

BABY = "('DIAPERS & DISPOSABLES', 'BABY FOODS', 'INFANT FORMULA')"
MEAT = "('MEAT', 'MEAT-PCKGD', 'SEAFOOD', 'SEAFOOD-PCKGD')"
LAPSED = """
    select person from purchase where older(ts, 45) group by person having sum(paid) >= 100000
    except select person from purchase where within(ts, 45)"""
LATEST = "last({0} order by household_id) filter ({0} is not null)"

EXPECTED = {
    "searched-not-bought": """
        select person from web where kind = 'search' and query like '%soft drinks%' and within(ts, 30)
        except select person from purchase where category = 'SOFT DRINKS' and within(ts, 30)""",
    "cart-abandoners": """
        select person from web where kind = 'commerce.productListAdds' and within(ts, 7)
        except select person from purchase where within(ts, 7)""",
    "big-carts": """
        select person from web
        where kind = 'commerce.productListAdds' and within(ts, 30)
          and len(list_filter(items, lambda item: round(item.priceTotal * 100) >= 500)) > 0
        group by person having count(*) >= 2""",
    "anonymous-identified": """
        select person from web
        group by person
        having min(ts) filter (kind = 'search' and household is null) < max(ts) filter (kind = 'userAccount.login')
        except select person from web where kind = 'userAccount.login' and older(ts, 60)""",
    "suspected-bots": """
        select person from web where kind = 'commerce.productViews' group by person having count(*) > 2000""",
    "anonymous-shoppers": """
        select person from web
        where person like 'WebID:%' and kind = 'commerce.productViews' and within(ts, 30)
        group by person having count(*) >= 3
        except select person from web where kind = 'commerce.productViews' group by person having count(*) > 2000""",
    "lapsed-heavy-buyers": LAPSED,
    "win-back": f"({LAPSED}) intersect select person from sent",
    "came-back": """
        select person from purchase
        group by person
        having count(*) filter (within(ts, 30)) > 0 and count(*) filter (older(ts, 90)) > 0
           and count(*) filter (older(ts, 30) and not older(ts, 90)) = 0""",
    "high-spenders": """
        select person from purchase where within(ts, 90) group by person having sum(paid) >= 120000""",
    "weekly-regulars": """
        select person from purchase where within(ts, 28) group by person
        having count(distinct greatest((now_ms() - ts + days(7) - 1) // days(7), 1)) = 4""",
    "coffee-once": """
        select person from purchase where category = 'COFFEE' group by person
        having count(*) = 1 and older(max(ts), 90)""",
    "out-of-diapers": """
        select person from purchase where category = 'DIAPERS & DISPOSABLES'
        group by person having older(max(ts), 120)""",
    "new-parents": f"""
        select person from purchase where category in {BABY} group by person
        having count(*) filter (within(ts, 180)) >= 3 and not older(min(ts), 180)""",
    "pet-owners": """
        select person from purchase
        where category in ('DOG FOODS', 'CAT FOOD', 'CAT LITTER', 'PET CARE SUPPLIES')
        group by person having count(*) >= 12""",
    "christmas-cellar": """
        select person from purchase
        where (category ilike '%wine%' or category in ('BEERS/ALES', 'LIQUOR'))
          and make_timestamp_ms(ts) >= '2017-12-01' and make_timestamp_ms(ts) < '2017-12-26'""",
    "meatless": f"""
        select person from purchase group by person having count(*) >= 100
        except select person from purchase where department in {MEAT}""",
    "private-label-fans": """
        select person from purchase where brand = 'Private' group by person having sum(paid) >= 100000""",
    "premium-taste": """
        select person from purchase group by person having count(*) >= 50 and sum(paid) >= 500 * count(*)""",
    "long-drivers": """
        select person from purchase where department = 'FUEL' group by person
        having max(paid) >= 6000 and sum(paid) >= 60000""",
    "coupon-lovers": "select person from redeemed group by person having count(*) >= 5",
    "redeemed-after-campaign": """
        select s.person from sent s join redeemed r using (person)
        where s.campaign = 18 and r.campaign = 18 and r.ts > s.ts""",
    "campaigns-in-vain": """
        select person from sent group by person having count(*) >= 3 except select person from redeemed""",
    "high-income-families": f"""
        select person from household group by person
        having {LATEST.format("kids_count")} <> '0'
           and {LATEST.format("income")} in ('100-124K', '125-149K', '150-174K', '175-199K', '200-249K', '250K+')""",
    "web-and-store": """
        select person from web where kind = 'userAccount.login' and within(ts, 30)
        intersect select person from purchase where within(ts, 30)""",
}
