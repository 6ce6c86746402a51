"""Word lists for made-up prompts: everyday domains in English, and small grammars for other languages.

Large enough that two unrelated prompts seldom share five words in a row; `language.py` composes from them.
"""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    """Words between white space; an underscore stands for a space inside one entry."""
    return tuple(word.replace("_", " ") for word in text.split())


DOMAINS: dict[str, tuple[str, ...]] = {
    "cooking": _words(
        "sourdough lentil_soup cast-iron_pan pantry oven_rack vinegar marinade dumplings pressure_cooker "
        "saffron_rice bone_broth cutting_board tahini roast_chicken custard pickles tomato_sauce yeast "
        "garlic_paste cheesecake stir-fry spice_rack waffle_iron meringue chickpea_stew olive_oil flatbread "
        "apple_pie noodles leftovers"
    ),
    "programming": _words(
        "parser linked_list race_condition unit_test build_script hash_map web_socket regex garbage_collector "
        "database_index stack_trace container_image config_file rate_limiter thread_pool message_queue "
        "binary_tree login_form cache_layer migration compiler_flag pull_request memory_leak shell_script "
        "date_library csv_export sorting_routine api_client state_machine lock_file"
    ),
    "travel": _words(
        "night_train visa_form hostel harbour_town ferry_ticket mountain_pass rental_car old_quarter "
        "airport_lounge day_trip campsite border_crossing street_market guidebook city_tram beach_hut layover "
        "suitcase desert_tour island_hop rail_pass museum_card walking_route travel_insurance seaside_inn "
        "canyon_trail jet_lag phrase_book currency_desk ski_lift"
    ),
    "money": _words(
        "savings_account index_fund mortgage tax_return invoice pension credit_score household_budget "
        "dividend exchange_rate rent_increase student_loan payroll emergency_fund small_loan audit "
        "interest_rate stock_option cash_flow receipt freelance_income insurance_premium bond_ladder bank_fee "
        "grant_money inheritance down_payment price_list charity_gift ledger"
    ),
    "health": _words(
        "sleep_schedule knee_pain blood_test allergy stretching_plan heart_rate migraine vitamin_level "
        "dentist_visit back_brace running_shoes hay_fever meal_plan posture eye_strain physiotherapy "
        "flu_season resting_pulse sprained_ankle breathing_drill iron_supplement skin_rash walking_habit "
        "sugar_intake hearing_test cold_shower recovery_week cramp first-aid_kit jaw_ache"
    ),
    "garden": _words(
        "tomato_seedlings compost_heap rose_bush greenhouse slug_damage raised_bed apple_tree lawn_moss "
        "watering_can bulb_planting pruning_shears herb_spiral soil_acidity hedge bird_feeder "
        "strawberry_patch mulch rain_barrel ivy vegetable_plot seed_tray aphids garden_shed wild_meadow "
        "lavender_border root_rot pond_plants fig_cutting frost_cover bamboo_fence"
    ),
    "law": _words(
        "tenancy_contract small_claims parking_fine trademark employment_notice privacy_policy "
        "witness_statement power_of_attorney copyright_claim custody_hearing non-compete building_permit "
        "consumer_refund data_request arbitration_clause witness_list liability_waiver visa_appeal "
        "lease_renewal court_fee inheritance_deed patent_filing licence_terms neighbour_dispute "
        "warranty_claim cease_letter bylaw property_line jury_duty settlement"
    ),
    "school": _words(
        "book_report lab_notebook essay_outline history_project spelling_test science_fair reading_list "
        "group_work thesis_chapter exam_timetable fraction_worksheet debate_speech geography_map class_trip "
        "homework_plan chemistry_quiz citation_style grammar_drill lecture_notes scholarship_letter "
        "term_paper vocabulary_cards seminar_talk study_guide oral_exam field_notes school_play peer_review "
        "semester_plan chalkboard_sketch"
    ),
    "music": _words(
        "chord_progression drum_loop violin_bow piano_scale choir_rehearsal bass_line song_lyrics mixing_desk "
        "vinyl_record guitar_strings jazz_standard music_theory wedding_playlist recording_booth trumpet_mute "
        "time_signature melody concert_ticket synthesizer metronome folk_tune ear_training string_quartet "
        "microphone_stand cover_band harmonica opera_score tuning_fork sheet_music backing_track"
    ),
    "sport": _words(
        "marathon_plan tennis_serve goalkeeper_gloves swimming_lane climbing_wall bike_chain league_table "
        "penalty_kick chess_opening rowing_machine referee_call training_camp basketball_hoop judo_throw "
        "weight_class offside_rule relay_team hiking_pole cricket_bat winter_league yoga_mat sprint_drill "
        "ice_rink golf_swing fan_club transfer_window cup_final squash_court boxing_gym surf_board"
    ),
    "home": _words(
        "leaking_tap boiler_pressure wall_paint squeaky_door floor_tiles smoke_alarm loft_insulation "
        "window_seal washing_machine curtain_rail fuse_box kitchen_drain wardrobe_shelf radiator_valve "
        "door_lock attic_stairs damp_corner light_switch garage_roof carpet_stain desk_lamp bathroom_fan "
        "chimney_pot storage_box picture_frame cellar_pump thermostat moving_van dishwasher_hose "
        "extension_cord"
    ),
    "family": _words(
        "birthday_party bedtime_story toddler_tantrum school_run pocket_money family_tree screen_time "
        "babysitter picky_eater grandparents summer_camp new_puppy sibling_quarrel treasure_hunt "
        "wedding_toast nursery_rhyme car_seat lunch_box holiday_card teenage_curfew house_rules "
        "adoption_papers playground name_list reunion_dinner costume_box goldfish chore_chart "
        "anniversary_gift photo_album"
    ),
    "science": _words(
        "tectonic_plate black_hole enzyme photosynthesis tide_table glacier magnetic_field comet protein_fold "
        "coral_reef solar_flare gene_marker ocean_current quantum_state fossil_layer bird_migration half-life "
        "gravity_well soil_sample telescope_mirror volcano virus_strain carbon_cycle neuron crystal_lattice "
        "climate_model isotope wave_equation bee_colony asteroid_belt"
    ),
    "history": _words(
        "silk_road siege_tower peasant_revolt shipping_canal royal_charter bronze_age trade_guild "
        "steam_engine treaty_text lighthouse_keeper printing_press plague_year river_kingdom border_war "
        "census_roll desert_caravan naval_blockade abbey_library coin_hoard railway_boom spice_trade "
        "emperor_list harvest_tax castle_ruin suffrage_march gold_rush parliament_act oral_legend mapmaker "
        "salt_mine"
    ),
    "work": _words(
        "status_meeting job_interview cover_letter team_offsite sales_pitch quarterly_plan customer_survey "
        "onboarding_week performance_review warehouse_shift project_timeline hiring_panel slide_deck "
        "support_ticket mission_statement product_launch supplier_call shift_rota press_release "
        "open-plan_office salary_talk training_manual expense_claim focus_group brand_name staff_survey "
        "newsletter trade_fair meeting_notes remote_desk"
    ),
    "fiction": _words(
        "lighthouse dragon_rider lost_letter haunted_mill space_freighter clockwork_bird detective_novel "
        "winter_palace talking_fox desert_oracle pirate_map masked_ball stolen_crown time_loop village_witch "
        "moon_colony secret_diary robot_gardener glass_city sea_monster orphan_thief enchanted_forest "
        "runaway_train old_sorcerer twin_sisters forgotten_god river_spirit midnight_market war_poet "
        "sleeping_giant"
    ),
}

ADJECTIVES = _words(
    "old new cheap quiet broken simple strange useful heavy narrow gentle sudden local honest bitter bright "
    "careful common curious damp early empty famous fragile frozen generous hidden hollow humble idle jealous "
    "late lazy loud lucky messy modern noisy odd orderly pale patient plain polite popular precise proud "
    "quick rare recent rough rusty sharp shy slow smooth soft spare steady stubborn sturdy sweet tidy tiny "
    "tired tricky unusual vague warm weary wild wooden young clumsy eager faint formal harsh loose minor neat "
    "obvious portable regional secondhand shallow temporary urgent vivid worn abrupt"
)
VERBS = _words(
    "fix plan compare describe choose replace organise improve measure understand clean test explain sell "
    "paint store borrow translate repair review sketch schedule cancel combine copy defend delay design "
    "discuss divide document draw estimate expand extend finish follow gather handle hide identify import "
    "inspect introduce join judge label launch list maintain manage memorise merge move negotiate observe "
    "order pack polish practise predict prepare present price protect question raise rearrange record reduce "
    "reject remember rename rent return rewrite rotate save select shorten simplify sort split start stretch "
    "summarise support teach tighten trace trim upgrade verify visit warm weigh"
)
PAST = _words(
    "kept lost bought found built sold moved painted repaired measured forgot copied borrowed cleaned counted "
    "dropped drew examined filled folded followed gathered guarded hid ignored invented joined lifted marked "
    "mixed named noticed opened ordered packed planted praised promised pulled questioned recorded refused "
    "removed rented returned saved searched shared sorted split stored studied tested traded visited washed "
    "weighed wrapped admired doubted feared rescued blamed revised"
)
PEOPLE = _words(
    "teacher neighbour sister uncle manager baker engineer nurse farmer tenant captain student cousin "
    "landlord mechanic poet driver librarian plumber colleague grandmother roommate editor surgeon referee "
    "tailor gardener pilot cashier inspector musician waiter carpenter historian translator guide analyst "
    "clerk painter coach chemist sailor judge potter florist reporter beekeeper violinist mayor trainee "
    "volunteer widow apprentice stranger twin butcher ferryman curator"
)
ADVERBS = _words(
    "quietly twice lately again carefully badly slowly early suddenly together outside abroad daily rarely "
    "secretly gladly barely openly firmly nearly evenly softly roughly steadily neatly calmly bravely oddly "
    "partly fully usually seldom"
)
PLACES = _words(
    "kitchen harbour station village attic library workshop valley bridge market office museum cellar island "
    "courtyard border garage hospital orchard theatre warehouse chapel airport canal square tower meadow "
    "tunnel clinic archive bakery dock balcony classroom quarry forest mill stadium inn laboratory"
)
TIMES = _words(
    "last_spring before_lunch after_the_storm in_winter next_week on_Sundays at_dawn every_evening "
    "two_years_ago this_month during_the_holidays by_Friday since_autumn around_midnight over_the_weekend "
    "in_March before_the_move after_work most_mornings once_a_year in_1987 at_noon until_Tuesday "
    "since_childhood in_early_June on_rainy_days"
)
ONSETS = _words("b br c ch d dr f fl g gr h j k kl l m n p pr qu r s sh sk st t th tr v w y z")
VOWELS = _words("a e i o u ae ai ea ie io oa ou")
CODAS = _words("b ck d ff g l ll m n nd ng nt p r rd rk rn s sk st t th v x z")


# Other languages: openers, verbs, nouns, links and ends; `language.py` puts them in the order of each.
LANGUAGES: dict[str, dict[str, tuple[str, ...]]] = {
    "es": {
        "opener": _words(
            "¿Cómo_puedo Necesito Quiero Ayúdame_a ¿Podrías ¿Conviene Estoy_intentando Mi_hermana_quiere ¿Vale_la_pena"
        ),
        "verb": _words(
            "arreglar comprar explicar traducir limpiar comparar vender pintar organizar estudiar medir "
            "escribir cambiar elegir reservar"
        ),
        "noun": _words(
            "la_cocina el_contrato mi_jardín un_poema la_bicicleta el_tren una_carta el_examen la_lavadora "
            "mi_perro una_receta el_informe la_novela un_viaje el_tejado la_guitarra el_mercado una_hipoteca "
            "el_volcán la_abuela"
        ),
        "link": _words(
            "sin para_vender con antes_de_usar cerca_de después_de_perder junto_a según por_culpa_de gracias_a"
        ),
        "end": _words(
            "en_invierno esta_semana sin_dinero con_niños para_mañana en_Sevilla desde_casa otra_vez "
            "con_paciencia por_la_noche"
        ),
    },
    "fr": {
        "opener": _words(
            "Comment Je_voudrais Peux-tu Faut-il J'essaie_de Mon_frère_veut Est-il_utile_de Aide-moi_à "
            "Pourquoi On_m'a_dit_de"
        ),
        "verb": _words(
            "réparer acheter expliquer traduire nettoyer comparer vendre peindre ranger étudier mesurer "
            "rédiger changer choisir réserver"
        ),
        "noun": _words(
            "la_cuisine le_contrat mon_jardin un_poème le_vélo le_train une_lettre l'examen la_machine "
            "mon_chien une_recette le_rapport le_roman un_voyage le_toit la_guitare le_marché un_prêt "
            "le_volcan ma_tante"
        ),
        "link": _words("sans avant avec près_de après selon malgré grâce_à contre pour"),
        "end": _words(
            "en_hiver cette_semaine sans_argent avec_des_enfants pour_demain à_Lyon depuis_chez_moi encore "
            "doucement le_soir"
        ),
    },
    "de": {
        "opener": _words(
            "Wie_kann_ich Ich_möchte Kannst_du Soll_man Ich_versuche, Meine_Tante_will Lohnt_es_sich, "
            "Hilf_mir, Warum_muss_ich Darf_ich"
        ),
        "verb": _words(
            "reparieren kaufen erklären übersetzen putzen vergleichen verkaufen streichen ordnen lernen "
            "messen schreiben wechseln wählen buchen"
        ),
        "noun": _words(
            "die_Küche den_Vertrag meinen_Garten ein_Gedicht das_Fahrrad den_Zug einen_Brief die_Prüfung "
            "die_Waschmaschine meinen_Hund ein_Rezept den_Bericht den_Roman eine_Reise das_Dach die_Gitarre "
            "den_Markt einen_Kredit den_Vulkan die_Mühle"
        ),
        "link": _words("ohne für trotz neben nach laut wegen samt gegen durch"),
        "end": _words(
            "im_Winter diese_Woche ohne_Geld mit_Kindern bis_morgen in_Kassel von_zu_Hause noch_einmal in_Ruhe am_Abend"
        ),
    },
    "ru": {
        "opener": _words("Как Хочу Помоги Можно_ли Стоит_ли Пытаюсь Брат_хочет Зачем Подскажи_как Научи_меня"),
        "verb": _words(
            "починить купить объяснить перевести почистить сравнить продать покрасить выучить измерить "
            "написать заменить выбрать найти забыть"
        ),
        "noun": _words(
            "кухню договор огород стихотворение велосипед поезд письмо экзамен стиральную_машину собаку "
            "рецепт отчёт роман поездку крышу гитару рынок кредит вулкан бабушку"
        ),
        "link": _words("без через вместо около после из-за ради среди против вдоль"),
        "end": _words(
            "зимой на_этой_неделе без_денег с_детьми к_завтрашнему_дню в_Казани из_дома ещё_раз спокойно вечером"
        ),
    },
    "zh": {
        "opener": _words("怎么 请 我想 能否 要不要 如何 帮忙 教我 为何 试试"),
        "verb": _words("修理 购买 解释 翻译 清洗 比较 出售 粉刷 整理 学习 测量 撰写 更换 挑选 预订"),
        "noun": _words(
            "厨房 合同 花园 诗歌 自行车 火车票 信件 考试 洗衣机 小狗 菜谱 报告 小说 旅行 屋顶 吉他 市场 贷款 火山 奶奶"
        ),
        "link": _words("和 以及 还有 旁边的 之后的 没有 关于 代替 里面的 对比"),
        "end": _words("冬天 本周 省钱 带孩子 明天之前 在成都 在家 再一次 慢慢来 晚上"),
    },
    "ja": {
        "opener": _words("どうやって できれば 今度 やはり 私は 友人と 急いで なぜ 誰か 母が"),
        "noun": _words(
            "台所 契約 庭 詩 自転車 電車 手紙 試験 洗濯機 子犬 料理 報告書 小説 旅 屋根 ギター 市場 借金 火山 祖母"
        ),
        "link": _words("と や より の隣の なしで のあとの について に似た 用の または"),
        "verb": _words(
            "を直す を買う を説明 を訳す を洗う を比べる を売る を塗る を片付ける を学ぶ を測る を書く "
            "を替える を選ぶ を予約"
        ),
        "end": _words("冬に 今週 節約して 子供と 明日まで 京都で 家から もう一度 ゆっくり 夜に"),
    },
    "ar": {
        "opener": _words("كيف أريد ساعدني هل_يمكن لماذا أحاول علمني متى أخي_يريد من_فضلك"),
        "verb": _words("إصلاح شراء شرح ترجمة تنظيف مقارنة بيع طلاء ترتيب دراسة قياس كتابة تغيير اختيار حجز"),
        "noun": _words(
            "المطبخ العقد الحديقة القصيدة الدراجة القطار الرسالة الامتحان الغسالة الكلب الوصفة التقرير "
            "الرواية الرحلة السقف الجيتار السوق القرض البركان الجدة"
        ),
        "link": _words("بدون مع قرب بعد قبل ضد بسبب حسب بدل عند"),
        "end": _words("شتاء هذا_الأسبوع بلا_مال مع_الأطفال قبل_الغد في_فاس من_البيت مجددا بهدوء مساء"),
    },
    "hi": {
        "opener": _words("कैसे मुझे कृपया क्या क्यों मैं मेरा_भाई कब शायद आज"),
        "noun": _words(
            "रसोई अनुबंध बगीचा कविता साइकिल रेल चिट्ठी परीक्षा मशीन कुत्ता नुस्खा रिपोर्ट उपन्यास यात्रा छत "
            "गिटार बाज़ार कर्ज़ पहाड़ दादी"
        ),
        "link": _words("और या के_बिना के_पास के_बाद से_पहले के_कारण जैसा के_बदले के_लिए"),
        "verb": _words(
            "ठीक_करना खरीदना समझाना अनुवाद_करना साफ_करना तुलना_करना बेचना रंगना सजाना पढ़ना नापना लिखना बदलना चुनना खोजना"
        ),
        "end": _words("सर्दी_में इस_हफ्ते बिना_पैसे बच्चों_संग कल_तक दिल्ली_में घर_से फिर_से धीरे_धीरे शाम_को"),
    },
}
COMMON = (
    "hi",
    "hello",
    "hey",
    "thanks",
    "thank you",
    "continue",
    "ok",
    "yes",
    "no",
    "help",
    "tell me a joke",
    "test",
    "who are you",
    "what can you do",
    "go on",
    "more",
    "why?",
    "hola",
    "good morning",
    "make it shorter",
    "are you there?",
    "try again",
    "explain",
    "translate to english",
    "write a poem",
    "what is the weather today",
    "summarize this",
    "can you help me",
    "how are you?",
    "what time is it",
)
